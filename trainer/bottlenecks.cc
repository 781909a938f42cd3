#include "trainer/bottlenecks.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/spec/shapes.h"
#include "common/spec/write.h"
#include "common/status.h"
#include "trainer/data/table_dataset.h"
#include "trainer/layer/features.h"
#include "trainer/parallel/shard_pool.h"

namespace baton::trainer {
namespace {

constexpr int64_t kBlockSamples = 8;
constexpr int64_t kActivationBytesMax = int64_t{4} << 30;  // of all threads
constexpr int64_t kTellGapMs = 2000;
constexpr char kMagic[] = "baton bottlenecks 1\n";
constexpr size_t kDigestBytes = 64;

// All that the bottlenecks depend on.
std::string KeyOf(const Dataset& samples, absl::Span<const float> weights,
                  const BottleneckOptions& options) {
  const Split& split = *options.split;
  const auto* bytes = reinterpret_cast<const char*>(weights.data());
  Sha256 hash;
  hash.Update(absl::string_view(bytes, split.body_parameters * sizeof(float)));
  hash.Update(spec::ModelText(split.body));
  for (const std::string& name : split.cut) hash.Update(absl::StrCat(name, "\n"));
  hash.Update(absl::StrCat(samples.digest(), "\n", samples.count(), "\n", options.identity));
  return hash.FinishHex();
}

// Their own bytes, as long as memory has them.
template <class T>
void Append(const std::vector<T>& values, std::string* out) {
  const uint64_t count = values.size();
  out->append(reinterpret_cast<const char*>(&count), sizeof(count));
  out->append(reinterpret_cast<const char*>(values.data()), count * sizeof(T));
}

template <class T>
bool Take(absl::string_view* bytes, std::vector<T>* values) {
  uint64_t count = 0;
  if (bytes->size() < sizeof(count)) return false;
  std::memcpy(&count, bytes->data(), sizeof(count));
  bytes->remove_prefix(sizeof(count));
  if (count > bytes->size() / sizeof(T)) return false;
  values->resize(count);
  std::memcpy(values->data(), bytes->data(), count * sizeof(T));
  bytes->remove_prefix(count * sizeof(T));
  return true;
}

class Bottlenecks {
 public:
  Bottlenecks(const std::string& name, const Dataset& samples, absl::Span<const float> weights,
              const BottleneckOptions& options)
      : name_(name), samples_(samples), weights_(weights), options_(options) {
    table_.count = samples.count();
    table_.target_unit = samples.target_unit();
    for (const spec::Shape& shape : options.split->cut_shapes) {
      SampleBlock<float> block;
      block.size = block.stride = spec::ElementCount(shape);
      table_.inputs.push_back(std::move(block));
    }
  }

  absl::StatusOr<std::unique_ptr<Dataset>> Run() {
    const std::string key = options_.folder.empty() ? "" : KeyOf(samples_, weights_, options_);
    const std::string path =
        absl::StrCat(options_.folder, "/", name_, "-", key.substr(0, 16), ".bin");
    if (!key.empty() && Read(path, key)) {
      LogInfo(absl::StrCat("bottlenecks of ", name_, ": ", samples_.count(), " read from ", path));
    } else {
      BATON_RETURN_IF_ERROR(Compute());
      if (!key.empty() && options_.write) Write(path, key);
    }
    return std::unique_ptr<Dataset>(std::make_unique<TableDataset>(std::move(table_)));
  }

 private:
  int64_t blocks() const { return (samples_.count() + kBlockSamples - 1) / kBlockSamples; }

  int ThreadsThatFit() const {
    int64_t values = 0;
    const auto shapes = spec::InferShapes(options_.split->body);
    if (shapes.ok()) {
      for (const spec::LayerShape& shape : *shapes) values += spec::ElementCount(shape.out);
    }
    const int64_t bytes = std::max<int64_t>(values * kBlockSamples * 4, 1);
    const int64_t fit = std::min(kActivationBytesMax / bytes, blocks());
    return static_cast<int>(std::clamp<int64_t>(fit, 1, options_.threads));
  }

  absl::Status Compute() {
    for (SampleBlock<float>& block : table_.inputs) {
      block.values.resize(static_cast<size_t>(block.size * samples_.count()));
    }
    ShardPool pool(ThreadsThatFit());
    for (int i = 0; i < pool.threads(); ++i) {
      BATON_ASSIGN_OR_RETURN(auto features,
                             Features::Create(options_.split->body, options_.split->cut,
                                              *options_.backend, kBlockSamples));
      features_.push_back(std::move(features));
    }
    failures_.resize(features_.size());
    targets_.resize(static_cast<size_t>(blocks()));
    begin_ms_ = told_ms_ = options_.clock->MonotonicMillis();
    pool.ForEach(static_cast<int>(blocks()), [this](int block, int worker) {
      absl::Status& failure = failures_[static_cast<size_t>(worker)];
      if (failure.ok()) failure = ComputeBlock(block, worker);
    });
    for (const absl::Status& failure : failures_) BATON_RETURN_IF_ERROR(failure);
    BATON_RETURN_IF_ERROR(samples_.health());
    JoinTargets();
    return absl::OkStatus();
  }

  absl::Status ComputeBlock(int64_t block, int worker) {
    if (options_.stop != nullptr && *options_.stop) {
      return absl::CancelledError("asked to leave before the bottlenecks were computed");
    }
    const int64_t begin = block * kBlockSamples;
    std::vector<uint32_t> indices(
        static_cast<size_t>(std::min(kBlockSamples, samples_.count() - begin)));
    std::iota(indices.begin(), indices.end(), static_cast<uint32_t>(begin));
    Batch& batch = targets_[static_cast<size_t>(block)];
    samples_.Fill(indices, nullptr, &batch);
    std::vector<std::vector<float>> outputs;
    BATON_RETURN_IF_ERROR(
        features_[static_cast<size_t>(worker)]->Compute(weights_.data(), batch, &outputs));
    for (size_t i = 0; i < outputs.size(); ++i) {
      SampleBlock<float>& into = table_.inputs[i];
      std::copy(outputs[i].begin(), outputs[i].end(), into.values.begin() + begin * into.size);
    }
    std::vector<float>().swap(batch.values);
    Tell(batch.count);
    return absl::OkStatus();
  }

  // Labels and targets of all blocks, in order.
  void JoinTargets() {
    for (const Batch& batch : targets_) {
      table_.labels.values.insert(table_.labels.values.end(), batch.labels.begin(),
                                  batch.labels.end());
      table_.targets.values.insert(table_.targets.values.end(), batch.targets.begin(),
                                   batch.targets.end());
    }
    SizeTargets();
  }

  void SizeTargets() {
    const int64_t count = samples_.count();
    SampleBlock<int32_t>& labels = table_.labels;
    SampleBlock<float>& targets = table_.targets;
    labels.size = labels.stride = static_cast<int64_t>(labels.values.size()) / count;
    targets.size = targets.stride = static_cast<int64_t>(targets.values.size()) / count;
  }

  void Tell(int64_t samples) {
    const std::lock_guard<std::mutex> lock(mutex_);
    done_ += samples;
    const int64_t now = options_.clock->MonotonicMillis();
    if (now - told_ms_ < kTellGapMs && done_ < samples_.count()) return;
    told_ms_ = now;
    absl::PrintF("bottlenecks of %s %d/%d  %.1f s\n", name_, done_, samples_.count(),
                 static_cast<double>(now - begin_ms_) / 1000);
    std::fflush(stdout);
  }

  bool Read(const std::string& path, const std::string& key) {
    const absl::StatusOr<std::string> file = ReadFile(path);
    if (!file.ok()) return false;
    if (Decode(*file, key)) return true;
    LogWarning(absl::StrCat(path, " is damaged; the bottlenecks are computed again"));
    for (SampleBlock<float>& block : table_.inputs) block.values.clear();
    table_.labels = {};
    table_.targets = {};
    return false;
  }

  bool Decode(absl::string_view bytes, const std::string& key) {
    const std::string head = absl::StrCat(kMagic, key, "\n");
    if (bytes.size() < head.size() + kDigestBytes) return false;
    const absl::string_view body = bytes.substr(0, bytes.size() - kDigestBytes);
    if (Sha256Hex(body) != bytes.substr(body.size()) || body.substr(0, head.size()) != head) {
      return false;
    }
    absl::string_view rest = body.substr(head.size());
    for (SampleBlock<float>& block : table_.inputs) {
      if (!Take(&rest, &block.values)) return false;
      if (static_cast<int64_t>(block.values.size()) != block.size * samples_.count()) return false;
    }
    if (!Take(&rest, &table_.labels.values) || !Take(&rest, &table_.targets.values)) return false;
    SizeTargets();
    return rest.empty();
  }

  void Write(const std::string& path, const std::string& key) const {
    std::string bytes = absl::StrCat(kMagic, key, "\n");
    for (const SampleBlock<float>& block : table_.inputs) Append(block.values, &bytes);
    Append(table_.labels.values, &bytes);
    Append(table_.targets.values, &bytes);
    bytes += Sha256Hex(bytes);
    std::error_code error;
    std::filesystem::create_directories(options_.folder, error);
    const absl::Status status = WriteFileAtomically(path, bytes);
    if (status.ok()) return;
    LogWarning(absl::StrCat("the bottlenecks are not kept for another run: ", status.message()));
  }

  const std::string& name_;
  const Dataset& samples_;
  const absl::Span<const float> weights_;
  const BottleneckOptions& options_;
  TableSamples table_;
  std::vector<std::unique_ptr<Features>> features_;  // by thread
  std::vector<absl::Status> failures_;               // by thread
  std::vector<Batch> targets_;                       // by block, without its values
  std::mutex mutex_;
  int64_t done_ = 0;  // this and below: under mutex_
  int64_t begin_ms_ = 0;
  int64_t told_ms_ = 0;
};

}  // namespace

std::optional<Split> PlanBottlenecks(const spec::NativeSpec& spec, int64_t train_samples,
                                     int64_t test_samples) {
  const auto* data = std::get_if<spec::FolderData>(&spec.data.source);
  if (data == nullptr || !data->bottlenecks) return std::nullopt;
  std::optional<Split> split = SplitFrozen(spec.model);
  if (!split) return std::nullopt;
  const std::string layers = absl::StrCat("the frozen beginning of the model (",
                                          split->body.layers.size(), " layers) is computed ");
  int64_t bytes = 0;
  for (const spec::Shape& shape : split->cut_shapes) {
    bytes += spec::ElementCount(shape) * (train_samples + test_samples) * int64_t{sizeof(float)};
  }
  if (data->augment.any()) {
    LogInfo(layers + "for each picture of each step, since data.augment changes them each time");
    return std::nullopt;
  }
  if (bytes > data->cache_bytes) {
    LogInfo(absl::StrCat(layers, "for each picture of each step, since what it gives has ",
                         bytes >> 20, " MiB; data.cache.memory says how much may be kept"));
    return std::nullopt;
  }
  LogInfo(layers + "once for each picture");
  return split;
}

absl::StatusOr<std::unique_ptr<Dataset>> ComputeBottlenecks(const std::string& name,
                                                            const Dataset& samples,
                                                            absl::Span<const float> weights,
                                                            const BottleneckOptions& options) {
  return Bottlenecks(name, samples, weights, options).Run();
}

}  // namespace baton::trainer
