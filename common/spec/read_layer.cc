#include "common/spec/read_layer.h"

#include <array>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace baton::spec {
namespace {

constexpr int64_t kExtentMax = 1 << 20;
// Ids travel as float32, which holds whole numbers exactly up to here.
constexpr int64_t kVocabularyMax = 1 << 24;

// `kernel: 5`, or `kernel: [1, 7]` for height and width.
void ReadExtent(MapReader& fields, const std::string& key, int64_t min, Extent* extent) {
  const Value* value = fields.Get(key);
  if (value == nullptr) return;
  if (value->kind != Value::Kind::kList) {
    int64_t both = -1;
    fields.Int(key, {min, kExtentMax}, &both);
    if (both >= 0) *extent = both;
    return;
  }
  std::vector<int64_t> extents;
  for (const Value& item : value->items) {
    bool overflow = false;
    const std::optional<int64_t> number = ParseInt(item.text, &overflow);
    if (number && *number >= min && *number <= kExtentMax && !item.quoted)
      extents.push_back(*number);
  }
  if (extents.size() == 2 && value->items.size() == 2) {
    *extent = Extent(extents[0], extents[1]);
  } else {
    fields.AddMistake(key, absl::StrCat("must be a whole number from ", min, " to ", kExtentMax,
                                        ", or [height, width] such as [1, 7]"));
  }
}

LayerOp ReadConv(MapReader& fields) {
  Conv conv;
  fields.Require("out", "out: 6");
  fields.Require("kernel", "kernel: 5");
  fields.Int("out", {1, kExtentMax}, &conv.out);
  ReadExtent(fields, "kernel", 1, &conv.kernel);
  ReadExtent(fields, "stride", 1, &conv.stride);
  ReadExtent(fields, "padding", 0, &conv.padding);
  ReadExtent(fields, "dilation", 1, &conv.dilation);
  fields.Int("groups", {1, kExtentMax}, &conv.groups);
  fields.Bool("bias", &conv.bias);
  return conv;
}

template <class Pool>
Pool ReadPool(MapReader& fields) {
  Pool pool;
  fields.AllowShortForm("kernel");
  fields.Require("kernel", "kernel: 2");
  ReadExtent(fields, "kernel", 1, &pool.kernel);
  pool.stride = pool.kernel;
  ReadExtent(fields, "stride", 1, &pool.stride);
  ReadExtent(fields, "padding", 0, &pool.padding);
  return pool;
}

LayerOp ReadAvgPool(MapReader& fields) {
  AvgPool pool = ReadPool<AvgPool>(fields);
  fields.Bool("count_padding", &pool.count_padding);
  return pool;
}

LayerOp ReadGlobalPool(MapReader& fields) {
  GlobalPool pool;
  fields.AllowShortForm("kind");
  fields.Choice<GlobalPool::Kind>(
      "kind", {{"average", GlobalPool::Kind::kAverage}, {"max", GlobalPool::Kind::kMax}},
      &pool.kind);
  return pool;
}

void ReadEpsilon(MapReader& fields, double* epsilon) {
  fields.Number("epsilon", {.min = 0, .max = 1, .min_excluded = true}, epsilon);
}

LayerOp ReadBatchNorm(MapReader& fields) {
  BatchNorm norm;
  ReadEpsilon(fields, &norm.epsilon);
  fields.Number("momentum", {.min = 0, .max = 1}, &norm.momentum);
  return norm;
}

LayerOp ReadLayerNorm(MapReader& fields) {
  LayerNorm norm;
  ReadEpsilon(fields, &norm.epsilon);
  return norm;
}

template <Activation::Kind kind>
LayerOp ReadActivation(MapReader& fields) {
  Activation activation;
  activation.kind = kind;
  if (kind == Activation::Kind::kElu) activation.slope = 1;
  if (kind == Activation::Kind::kElu || kind == Activation::Kind::kLeakyRelu) {
    fields.AllowShortForm("slope");
    fields.Number("slope", {.min = 0, .max = 1e6}, &activation.slope);
  } else {
    activation.slope = 0;
  }
  return activation;
}

LayerOp ReadReshape(MapReader& fields) {
  Reshape reshape;
  fields.Require("to", "to: [28, 28]");
  const Value* to = fields.Get("to");
  if (to == nullptr) return reshape;
  reshape.to = ReadShape(*to);
  if (reshape.to.empty()) {
    fields.AddMistake("to",
                      "must be one to three whole numbers from 1 to 1048576, such as [28, 28]");
  }
  return reshape;
}

LayerOp ReadDense(MapReader& fields) {
  Dense dense;
  fields.AllowShortForm("out");
  fields.Require("out", "out: 10");
  fields.Int("out", {1, kExtentMax}, &dense.out);
  fields.Bool("bias", &dense.bias);
  return dense;
}

LayerOp ReadDropout(MapReader& fields) {
  Dropout dropout;
  fields.AllowShortForm("rate");
  fields.Require("rate", "rate: 0.5");
  fields.Number("rate", {.min = 0, .max = 1, .max_excluded = true}, &dropout.rate);
  return dropout;
}

LayerOp ReadEmbedding(MapReader& fields) {
  Embedding embedding;
  fields.Require("vocabulary", "vocabulary: 10000");
  fields.Require("width", "width: 64");
  fields.Int("vocabulary", {1, int64_t{1} << 40}, &embedding.vocabulary);
  if (embedding.vocabulary > kVocabularyMax) {
    fields.AddMistake(
        "vocabulary",
        absl::StrCat("must be at most ", kVocabularyMax, ", is ", embedding.vocabulary,
                     ": ids travel as float32, which holds whole numbers exactly up "
                     "to there; split the ids over several tables, or hash them"));
  }
  fields.Int("width", {1, kExtentMax}, &embedding.width);
  fields.Choice<bool>("storage", {{"memory", false}, {"mmap", true}}, &embedding.mapped);
  embedding.sparse = embedding.mapped;
  fields.Bool("sparse", &embedding.sparse);
  if (embedding.mapped && !embedding.sparse) {
    fields.AddMistake("sparse", "what is stored as mmap is too large to be dense; remove it");
  }
  return embedding;
}

template <Recurrent::Kind kind>
LayerOp ReadRecurrent(MapReader& fields) {
  Recurrent recurrent;
  recurrent.kind = kind;
  fields.AllowShortForm("hidden");
  fields.Require("hidden", "hidden: 32");
  fields.Int("hidden", {1, kExtentMax}, &recurrent.hidden);
  return recurrent;
}

LayerOp ReadAttention(MapReader& fields) {
  Attention attention;
  fields.Int("heads", {1, kExtentMax}, &attention.heads);
  fields.Bool("causal", &attention.causal);
  return attention;
}

template <class Op>
LayerOp ReadPlain(MapReader&) {
  return Op{};
}

struct Kind {
  const char* word;
  LayerOp (*read)(MapReader& fields);
};

constexpr std::array<Kind, 28> kKinds = {{
    {"conv", ReadConv},
    {"max_pool", [](MapReader& fields) -> LayerOp { return ReadPool<MaxPool>(fields); }},
    {"avg_pool", ReadAvgPool},
    {"global_pool", ReadGlobalPool},
    {"batch_norm", ReadBatchNorm},
    {"layer_norm", ReadLayerNorm},
    {"relu", ReadActivation<Activation::Kind::kRelu>},
    {"leaky_relu", ReadActivation<Activation::Kind::kLeakyRelu>},
    {"elu", ReadActivation<Activation::Kind::kElu>},
    {"sigmoid", ReadActivation<Activation::Kind::kSigmoid>},
    {"tanh", ReadActivation<Activation::Kind::kTanh>},
    {"gelu", ReadActivation<Activation::Kind::kGelu>},
    {"silu", ReadActivation<Activation::Kind::kSilu>},
    {"flatten", ReadPlain<Flatten>},
    {"reshape", ReadReshape},
    {"dense", ReadDense},
    {"dropout", ReadDropout},
    {"embedding", ReadEmbedding},
    {"position", ReadPlain<Position>},
    {"lstm", ReadRecurrent<Recurrent::Kind::kLstm>},
    {"gru", ReadRecurrent<Recurrent::Kind::kGru>},
    {"attention", ReadAttention},
    {"last", ReadPlain<Last>},
    {"concat", ReadPlain<Concat>},
    {"add", ReadPlain<Add>},
    {"multiply", ReadPlain<Multiply>},
    {"dot", ReadPlain<Dot>},
    {"cosine", [](MapReader&) -> LayerOp { return Dot{.cosine = true}; }},
}};

}  // namespace

const std::vector<std::string>& LayerWords() {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> all;
    for (const Kind& kind : kKinds) all.push_back(kind.word);
    return all;
  }();
  return words;
}

LayerOp ReadLayerOp(const std::string& word, MapReader& fields) {
  for (const Kind& kind : kKinds) {
    if (word == kind.word) return kind.read(fields);
  }
  BATON_CHECK(false, "no word of LayerWords");
}

bool IsComplete(const LayerOp& op) {
  if (const Conv* conv = std::get_if<Conv>(&op)) return conv->out > 0 && conv->kernel.height > 0;
  if (const MaxPool* pool = std::get_if<MaxPool>(&op)) return pool->kernel.height > 0;
  if (const AvgPool* pool = std::get_if<AvgPool>(&op)) return pool->kernel.height > 0;
  if (const Dense* dense = std::get_if<Dense>(&op)) return dense->out > 0;
  if (const Reshape* reshape = std::get_if<Reshape>(&op)) return !reshape->to.empty();
  if (const Recurrent* recurrent = std::get_if<Recurrent>(&op)) return recurrent->hidden > 0;
  if (const Embedding* embedding = std::get_if<Embedding>(&op)) {
    return embedding->vocabulary > 0 && embedding->width > 0;
  }
  return true;
}

Shape ReadShape(const Value& value) {
  Shape shape;
  if (value.kind != Value::Kind::kList || value.items.size() > 3) return shape;
  for (const Value& item : value.items) {
    bool overflow = false;
    const std::optional<int64_t> extent = ParseInt(item.text, &overflow);
    if (!extent || *extent < 1 || *extent > kExtentMax || item.quoted) return {};
    shape.push_back(*extent);
  }
  return shape;
}

}  // namespace baton::spec
