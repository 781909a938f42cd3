#include "trainer/layer/plan.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/spec/shapes.h"
#include "common/status.h"

namespace baton::trainer {

namespace {

// The operation of one layer; nullopt when there is nothing to compute.
struct OperationOf {
  const spec::Shape& in;
  const spec::Shape& out;

  std::optional<OperationShape> operator()(const spec::Conv& conv) const {
    return ConvOperation{in, out, conv.kernel, conv.stride, conv.padding, Activation::kNone};
  }
  std::optional<OperationShape> operator()(const spec::MaxPool& pool) const {
    return MaxPoolOperation{in, out, pool.kernel, pool.stride, pool.padding};
  }
  std::optional<OperationShape> operator()(const spec::Dense&) const {
    return DenseOperation{in, out, Activation::kNone};
  }
  std::optional<OperationShape> operator()(const spec::Dropout& dropout) const {
    return DropoutOperation{in, static_cast<float>(dropout.rate)};
  }
  std::optional<OperationShape> operator()(const spec::Relu&) const { return ReluOperation{in}; }
  std::optional<OperationShape> operator()(const spec::Flatten&) const { return std::nullopt; }
};

// Where an operation keeps its activation; null when it cannot clip its output.
Activation* ActivationOf(OperationShape& operation) {
  if (auto* conv = std::get_if<ConvOperation>(&operation)) return &conv->activation;
  if (auto* pool = std::get_if<MaxPoolOperation>(&operation)) return &pool->activation;
  if (auto* dense = std::get_if<DenseOperation>(&operation)) return &dense->activation;
  return nullptr;
}

// Makes a ReLU part of the operation before it, if that can clip its output.
bool FuseRelu(OperationShape& before) {
  Activation* activation = ActivationOf(before);
  if (activation == nullptr) return false;
  *activation = Activation::kRelu;
  return true;
}

// The largest of clipped values is the clipped largest, and where all are clipped no gradient
// passes in either order: the bits are the same, on a quarter of the values for a 2x2 window.
void ClipAfterPool(OperationShape& before, OperationShape& pool) {
  Activation* activation = ActivationOf(before);
  if (activation == nullptr || !std::holds_alternative<MaxPoolOperation>(pool)) return;
  std::get<MaxPoolOperation>(pool).activation = *activation;
  *activation = Activation::kNone;
}

absl::Status CheckChain(const spec::Model& model, size_t index) {
  const spec::Layer& layer = model.layers[index];
  const std::string before = index == 0 ? spec::kModelInput : model.layers[index - 1].name;
  if (layer.inputs.empty() || (layer.inputs.size() == 1 && layer.inputs[0] == before)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("layer ", layer.name, ": its input must be ",
                                                 before,
                                                 ", since this trainer runs layers in a chain"));
}

}  // namespace

absl::StatusOr<std::vector<PlannedOperation>> PlanOperations(const spec::Model& model) {
  BATON_ASSIGN_OR_RETURN(const std::vector<spec::LayerShape> shapes, spec::InferShapes(model));
  std::vector<PlannedOperation> plan;
  size_t offset = 0;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    BATON_RETURN_IF_ERROR(CheckChain(model, i));
    const spec::Layer& layer = model.layers[i];
    const bool relu = std::holds_alternative<spec::Relu>(layer.op);
    if (relu && !plan.empty() && FuseRelu(plan.back().shape)) continue;
    // What lies in memory: as the model's input or the last operation left it, before any flatten.
    const spec::Shape in = plan.empty() ? model.input : OutputShape(plan.back().shape);
    std::optional<OperationShape> operation = std::visit(OperationOf{in, shapes[i].out}, layer.op);
    if (!operation) continue;
    if (!plan.empty()) ClipAfterPool(plan.back().shape, *operation);
    plan.push_back({*std::move(operation), offset, i});
    offset += static_cast<size_t>(WeightCount(plan.back().shape) + BiasCount(plan.back().shape));
  }
  if (offset == 0) {
    return absl::InvalidArgumentError(
        "the model has nothing to learn; add a conv or dense layer to model.layers");
  }
  const spec::Shape& logits = shapes.back().out;
  if (logits.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "layer ", model.layers.back().name, ": the last layer gives ", spec::ShapeText(logits),
        " but the loss needs one value per class; end with "
        "`- flatten` and `- dense`"));
  }
  return plan;
}

}  // namespace baton::trainer
