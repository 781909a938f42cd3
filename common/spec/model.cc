#include "common/spec/model.h"

#include <algorithm>
#include <array>

#include "common/spec/optimizer.h"

namespace baton::spec {
namespace {

struct NameOf {
  const char* operator()(const GlobalPool&) const { return "global_pool"; }
  const char* operator()(const Activation& activation) const {
    static constexpr std::array<const char*, 7> kNames = {"relu", "leaky_relu", "elu", "sigmoid",
                                                          "tanh", "gelu",       "silu"};
    return kNames[static_cast<size_t>(activation.kind)];
  }
  const char* operator()(const Recurrent& recurrent) const {
    return recurrent.kind == Recurrent::Kind::kLstm ? "lstm" : "gru";
  }
  const char* operator()(const Dot& dot) const { return dot.cosine ? "cosine" : "dot"; }
  const char* operator()(const Conv&) const { return "conv"; }
  const char* operator()(const MaxPool&) const { return "max_pool"; }
  const char* operator()(const AvgPool&) const { return "avg_pool"; }
  const char* operator()(const BatchNorm&) const { return "batch_norm"; }
  const char* operator()(const LayerNorm&) const { return "layer_norm"; }
  const char* operator()(const Flatten&) const { return "flatten"; }
  const char* operator()(const Reshape&) const { return "reshape"; }
  const char* operator()(const Dense&) const { return "dense"; }
  const char* operator()(const Dropout&) const { return "dropout"; }
  const char* operator()(const Embedding&) const { return "embedding"; }
  const char* operator()(const Position&) const { return "position"; }
  const char* operator()(const Attention&) const { return "attention"; }
  const char* operator()(const Last&) const { return "last"; }
  const char* operator()(const Concat&) const { return "concat"; }
  const char* operator()(const Add&) const { return "add"; }
  const char* operator()(const Multiply&) const { return "multiply"; }
};

}  // namespace

bool HasMappedTable(const Model& model) {
  return std::any_of(model.layers.begin(), model.layers.end(), [](const Layer& layer) {
    const auto* embedding = std::get_if<Embedding>(&layer.op);
    return embedding != nullptr && embedding->mapped;
  });
}

const char* KindName(const LayerOp& op) { return std::visit(NameOf{}, op); }

const char* LossName(Loss loss) {
  static constexpr std::array<const char*, 4> kNames = {
      "softmax_cross_entropy", "binary_cross_entropy", "mean_squared_error", "mean_absolute_error"};
  return kNames[static_cast<size_t>(loss)];
}

const char* OptimizerName(Optimizer::Kind kind) {
  static constexpr std::array<const char*, 4> kNames = {"sgd", "adam", "adamw", "rmsprop"};
  return kNames[static_cast<size_t>(kind)];
}

const char* InitializationName(Initialization initialization) {
  static constexpr std::array<const char*, 6> kNames = {
      "default", "kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal", "normal"};
  return kNames[static_cast<size_t>(initialization)];
}

const char* PrecisionName(Precision precision) {
  return precision == Precision::kBfloat16 ? "bf16" : "float32";
}

}  // namespace baton::spec
