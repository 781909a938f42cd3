#include "common/spec/memory.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/idx/idx.h"
#include "common/image/folder.h"
#include "common/spec/shapes.h"
#include "common/status.h"
#include "common/table/npy.h"

namespace baton::spec {
namespace {

constexpr int64_t kFloat = 4;
constexpr int64_t kMiB = int64_t{1} << 20;
// Measured on an empty run: the program, oneDNN and the kernels that it makes.
constexpr int64_t kProgramBytes = 36 * kMiB;
// CUDA's context and its libraries' own memory on a card.
constexpr int64_t kCudaBytes = 600 * kMiB;
// Tests are run in blocks of so many samples, of large ones fewer (trainer/layer/plan.h).
constexpr int64_t kTestBlock = 64;
constexpr int64_t kTestBlockBytes = 64 * kMiB;
// Of a backward pass, in values as large as the largest: the gradients that are needed at a time,
// and copies of what an operation reads and writes in its own layout.
constexpr int64_t kBackwardValues = 3;
// A CSV file's text becomes a double while it is read and a float after it, and vectors grow by
// doubling; a value is about five characters.
constexpr int64_t kCsvFactor = 5;
constexpr int64_t kGzipFactor = 4;

int64_t DividedUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Vectors as long as the weights.
int64_t OptimizerVectors(const Optimizer& optimizer) {
  switch (optimizer.kind) {
    case Optimizer::Kind::kSgd:
      return optimizer.momentum > 0 ? 1 : 0;
    case Optimizer::Kind::kAdam:
    case Optimizer::Kind::kAdamW:
      return 2;
    case Optimizer::Kind::kRmsProp:
      return optimizer.momentum > 0 ? 2 : 1;
  }
  return 2;
}

// Values that a layer keeps for itself, for one sample: gates and states of a recurrent one,
// queries, keys, values and weights of an attention.
int64_t OwnValues(const LayerOp& op, const LayerShape& shape) {
  const int64_t positions = shape.in[0][0];
  if (const auto* recurrent = std::get_if<Recurrent>(&op)) return 6 * positions * recurrent->hidden;
  if (const auto* attention = std::get_if<Attention>(&op)) {
    return 4 * ElementCount(shape.out) + attention->heads * positions * positions;
  }
  return 0;
}

// What layers hand on, for one sample. A ReLU and a flatten keep none of their own.
struct Values {
  int64_t all = 0;
  int64_t largest = 0;      // what one layer hands on
  int64_t largest_own = 0;  // what one layer keeps
};

Values ValuesOf(const Model& model, const std::vector<LayerShape>& shapes) {
  Values values;
  for (const ModelInput& input : model.inputs) values.all += ElementCount(input.shape);
  for (size_t i = 0; i < shapes.size(); ++i) {
    const auto* activation = std::get_if<Activation>(&model.layers[i].op);
    if (activation != nullptr && activation->kind == Activation::Kind::kRelu) continue;
    if (std::holds_alternative<Flatten>(model.layers[i].op)) continue;
    const int64_t own = OwnValues(model.layers[i].op, shapes[i]);
    values.all += ElementCount(shapes[i].out) + own;
    values.largest = std::max(values.largest, ElementCount(shapes[i].out));
    values.largest_own = std::max(values.largest_own, own);
  }
  return values;
}

// Floats of the layer that has most. Sparse tables are read where they lie.
absl::StatusOr<int64_t> LargestLayer(const Model& model) {
  BATON_ASSIGN_OR_RETURN(const std::vector<Parameter> parameters, Parameters(model));
  std::vector<int64_t> layers(model.layers.size());
  int64_t largest = 0;
  for (const Parameter& parameter : parameters) {
    int64_t& floats = layers[parameter.layer];
    if (!parameter.sparse) floats += ElementCount(parameter.shape);
    largest = std::max(largest, floats);
  }
  return largest;
}

int64_t FileBytes(const std::string& path) {
  std::error_code error;
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(path, error));
  if (error) return 0;
  return absl::EndsWith(path, ".gz") ? bytes * kGzipFactor : bytes;
}

template <class Dims>
int64_t Product(const Dims& dims) {
  int64_t product = 1;
  for (const auto extent : dims) product *= static_cast<int64_t>(extent);
  return product;
}

int64_t BytesOf(const NativeSpec& native, const NamedFile& file, const std::string& path) {
  if (std::holds_alternative<IdxData>(native.data.source)) {
    const auto stream = idx::IdxStream::Open(path);
    if (!stream.ok()) return 0;
    // A label becomes an int32.
    const std::vector<uint32_t>& dims = (*stream)->dims();
    return Product(dims) * (dims.size() == 1 ? 1 + kFloat : 1);
  }
  if (std::holds_alternative<NpyData>(native.data.source)) {
    const auto stream = table::NpyStream::Open(path, file.source->member);
    // Read into a vector that grows, and then copied into samples.
    return stream.ok() ? 3 * kFloat * Product((*stream)->dims()) : 0;
  }
  if (const auto* folder = std::get_if<FolderData>(&native.data.source)) {
    const auto listing = image::ListFolder(path);
    if (!listing.ok()) return 0;
    // A byte for each value of the model's input, as far as they are kept.
    const int64_t pictures = static_cast<int64_t>(listing->files.size());
    return std::min(folder->cache_bytes, pictures * ElementCount(native.model.inputs[0].shape));
  }
  // A text's ids, as they are read and as samples have them.
  const bool ids = std::holds_alternative<TextData>(native.data.source) ||
                   std::holds_alternative<SkipGramData>(native.data.source);
  return FileBytes(path) * (ids ? 2 * kFloat : kCsvFactor);
}

std::string Size(int64_t bytes) {
  const double mib = static_cast<double>(bytes) / kMiB;
  return mib < 1024 ? absl::StrFormat("%.1f MiB", mib) : absl::StrFormat("%.1f GiB", mib / 1024);
}

template <class Fits>
int64_t LargestBatch(const NativeSpec& native, const RankShape& shape, const Fits& fits) {
  NativeSpec smaller = native;
  int64_t low = 0, high = native.batch_size / native.shards;
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    smaller.batch_size = middle * native.shards;
    const absl::StatusOr<MemoryEstimate> estimate = EstimateMemory(smaller, shape);
    if (estimate.ok() && fits(*estimate)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low * native.shards;
}

}  // namespace

absl::StatusOr<MemoryEstimate> EstimateMemory(const NativeSpec& native, const RankShape& shape) {
  BATON_ASSIGN_OR_RETURN(const std::vector<LayerShape> shapes, InferShapes(native.model));
  BATON_ASSIGN_OR_RETURN(const int64_t parameters, ParameterCount(native.model));
  const int64_t weights = parameters * kFloat;
  const int64_t vectors = OptimizerVectors(native.optimizer);
  const int64_t shards = DividedUp(native.shards, shape.ranks);
  const int64_t threads = std::clamp<int64_t>(shape.threads, 1, shards);
  const int64_t micro = DividedUp(native.batch_size, native.shards);
  const Values values = ValuesOf(native.model, shapes);
  const int64_t fit = kTestBlockBytes / (kFloat * std::max<int64_t>(values.all, 1));
  const int64_t samples = std::max(micro, std::clamp<int64_t>(fit, 1, kTestBlock));
  BATON_ASSIGN_OR_RETURN(const int64_t largest_layer, LargestLayer(native.model));

  MemoryEstimate estimate;
  estimate.program = kProgramBytes;
  estimate.weights = weights;
  estimate.optimizer = weights * vectors;
  // One shard's is the sum. With others: what is sent and what is received, too.
  estimate.gradients = weights * (shards + (shape.ranks > 1 ? 3 : shards > 1 ? 1 : 0));
  // Values of the forward pass stay, of micro-batches and blocks of the test alike. What the
  // backward one takes, and a layer's weights in the arithmetic's own layout, has one place after
  // the other.
  const int64_t backward = kBackwardValues * values.largest + values.largest_own;
  estimate.activations =
      threads * kFloat * (values.all * samples + backward * micro + largest_layer);
  estimate.data = shape.data_bytes;
  // And the model's file at the end.
  estimate.checkpoint = weights * (1 + vectors) + weights;
  // The best weights so far, and where a checkpoint of them is written.
  if (native.early_stopping) estimate.checkpoint += 2 * weights;
  estimate.device =
      kCudaBytes + threads * (kFloat * (values.all + backward) * samples + 2 * weights);
  return estimate;
}

int64_t BatchThatFits(const NativeSpec& native, const RankShape& shape, int64_t bytes) {
  return LargestBatch(native, shape,
                      [bytes](const MemoryEstimate& estimate) { return estimate.host() <= bytes; });
}

int64_t BatchThatFitsCard(const NativeSpec& native, const RankShape& shape, int64_t bytes) {
  return LargestBatch(native, shape,
                      [bytes](const MemoryEstimate& estimate) { return estimate.device <= bytes; });
}

int64_t DataBytes(NativeSpec native, const FindFile& find) {
  JobSpec job;
  job.native = std::move(native);
  int64_t bytes = 0;
  for (const NamedFile& file : NamedFiles(job)) {
    const absl::StatusOr<std::optional<std::string>> path = find(file);
    if (path.ok() && path->has_value()) bytes += BytesOf(*job.native, file, **path);
  }
  return bytes;
}

std::string MemoryText(const NativeSpec& native, const RankShape& shape, const MemoryEstimate& e) {
  std::string text = absl::StrFormat(
      "memory of a rank, estimated (%d of %d shards, %d threads, %d samples a shard): %s\n",
      DividedUp(native.shards, shape.ranks), native.shards, shape.threads,
      DividedUp(native.batch_size, native.shards), Size(e.host()));
  const auto line = [&text](const char* what, int64_t bytes) {
    absl::StrAppendFormat(&text, "  %-12s %10s\n", what, Size(bytes));
  };
  line("weights", e.weights);
  line("optimizer", e.optimizer);
  line("gradients", e.gradients);
  line("activations", e.activations);
  line("data", e.data);
  line("checkpoint", e.checkpoint);
  line("program", e.program);
  absl::StrAppend(&text, "on a card, where one computes: about ", Size(e.device), "\n");
  return text;
}

}  // namespace baton::spec
