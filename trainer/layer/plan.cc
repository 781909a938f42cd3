#include "trainer/layer/plan.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/spec/shapes.h"
#include "common/status.h"

namespace baton::trainer {

namespace {

Extent ToExtent(const spec::Extent& extent) { return {extent.height, extent.width}; }

Function ToFunction(spec::Activation::Kind kind) {
  switch (kind) {
    case spec::Activation::Kind::kRelu:
      return Function::kRelu;
    case spec::Activation::Kind::kLeakyRelu:
      return Function::kLeakyRelu;
    case spec::Activation::Kind::kElu:
      return Function::kElu;
    case spec::Activation::Kind::kSigmoid:
      return Function::kSigmoid;
    case spec::Activation::Kind::kTanh:
      return Function::kTanh;
    case spec::Activation::Kind::kGelu:
      return Function::kGelu;
    case spec::Activation::Kind::kSilu:
      return Function::kSilu;
  }
  return Function::kRelu;
}

// The operation of one layer over inputs of these shapes; nullopt when there is nothing to compute.
struct OperationOf {
  const std::vector<spec::Shape>& ins;
  const spec::Shape& out;
  bool frozen;
  bool bfloat16;
  const spec::Shape& in = ins[0];

  using Result = std::optional<OperationShape>;

  Result operator()(const spec::Conv& conv) const {
    return ConvOperation{in,
                         out,
                         ToExtent(conv.kernel),
                         ToExtent(conv.stride),
                         ToExtent(conv.padding),
                         ToExtent(conv.dilation),
                         conv.groups,
                         conv.bias,
                         Activation::kNone};
  }
  Result operator()(const spec::MaxPool& pool) const {
    return MaxPoolOperation{in,
                            out,
                            ToExtent(pool.kernel),
                            ToExtent(pool.stride),
                            ToExtent(pool.padding),
                            Activation::kNone};
  }
  Result operator()(const spec::AvgPool& pool) const {
    return AvgPoolOperation{in,
                            out,
                            ToExtent(pool.kernel),
                            ToExtent(pool.stride),
                            ToExtent(pool.padding),
                            pool.count_padding};
  }
  Result operator()(const spec::GlobalPool& pool) const {
    const bool largest = pool.kind == spec::GlobalPool::Kind::kMax;
    if (in.size() == 2) return SequencePoolOperation{in, largest};
    const Extent all{in[1], in[2]};
    const SampleShape cell{in[0], 1, 1};
    if (largest) return MaxPoolOperation{in, cell, all, all, {0, 0}, Activation::kNone};
    return AvgPoolOperation{in, cell, all, all, {0, 0}, true};
  }
  Result operator()(const spec::BatchNorm& norm) const {
    return BatchNormOperation{in, static_cast<float>(norm.epsilon), frozen, Activation::kNone};
  }
  Result operator()(const spec::LayerNorm& norm) const {
    return LayerNormOperation{in, static_cast<float>(norm.epsilon)};
  }
  Result operator()(const spec::Activation& activation) const {
    return ActivationOperation{in, ToFunction(activation.kind),
                               static_cast<float>(activation.slope)};
  }
  Result operator()(const spec::Flatten&) const { return std::nullopt; }
  Result operator()(const spec::Reshape&) const { return ViewOperation{in, out}; }
  Result operator()(const spec::Dense& dense) const {
    const int64_t rows = out.size() == 2 ? out[0] : 1;
    return DenseOperation{in, out, rows, dense.bias, Activation::kNone, bfloat16};
  }
  Result operator()(const spec::Dropout& dropout) const {
    return DropoutOperation{in, static_cast<float>(dropout.rate)};
  }
  Result operator()(const spec::Embedding& embedding) const {
    return EmbeddingOperation{in, embedding.vocabulary, embedding.width, embedding.sparse};
  }
  Result operator()(const spec::Position&) const { return PositionOperation{in}; }
  Result operator()(const spec::Recurrent& recurrent) const {
    const bool lstm = recurrent.kind == spec::Recurrent::Kind::kLstm;
    return RecurrentOperation{lstm ? Cell::kLstm : Cell::kGru, in, recurrent.hidden};
  }
  Result operator()(const spec::Attention& attention) const {
    return AttentionOperation{in, attention.heads, attention.causal, bfloat16};
  }
  Result operator()(const spec::Last&) const { return LastOperation{in}; }
  Result operator()(const spec::Concat&) const {
    return ConcatOperation{ins, out, in.size() == 2 ? in[0] : 1};
  }
  Result operator()(const spec::Add&) const {
    return AddOperation{in, static_cast<int64_t>(ins.size()), Activation::kNone};
  }
  Result operator()(const spec::Multiply&) const {
    return MultiplyOperation{in, static_cast<int64_t>(ins.size())};
  }
  Result operator()(const spec::Dot& dot) const { return DotOperation{ins[0], ins[1], dot.cosine}; }
};

// Whether a flattened value does as well: the operation looks at values, not at extents.
bool IgnoresExtents(const spec::LayerOp& op) {
  return std::holds_alternative<spec::Dense>(op) || std::holds_alternative<spec::Dropout>(op) ||
         std::holds_alternative<spec::Activation>(op);
}

// Where an operation keeps its activation; null when it cannot clip its output.
Activation* ActivationOf(OperationShape& operation) {
  if (auto* conv = std::get_if<ConvOperation>(&operation)) return &conv->activation;
  if (auto* pool = std::get_if<MaxPoolOperation>(&operation)) return &pool->activation;
  if (auto* dense = std::get_if<DenseOperation>(&operation)) return &dense->activation;
  if (auto* norm = std::get_if<BatchNormOperation>(&operation)) return &norm->activation;
  if (auto* add = std::get_if<AddOperation>(&operation)) return &add->activation;
  return nullptr;
}

// INVALID_ARGUMENT when the loss does not fit the output's shape.
absl::StatusOr<OutputLayout> LayOutOutput(const spec::Model& model, const spec::Shape& output) {
  const std::string name = model.layers.back().name;
  if (model.loss == spec::Loss::kSoftmaxCrossEntropy) {
    if (output.size() > 2) {
      return absl::InvalidArgumentError(absl::StrCat(
          "layer ", name, ": the last layer gives ", spec::ShapeText(output),
          " but the loss needs one value per class; end with `- flatten` and `- dense`"));
    }
    const int64_t rows = output.size() == 2 ? output[0] : 1;
    return OutputLayout{rows, output.back(), rows};
  }
  const int64_t width = spec::ElementCount(output);
  return OutputLayout{1, width, model.loss == spec::Loss::kBinaryCrossEntropy ? width : 0};
}

class Planner {
 public:
  explicit Planner(const spec::Model& model) : model_(model) {}

  absl::StatusOr<Plan> Run() {
    BATON_RETURN_IF_ERROR(PlanLayers());
    BATON_RETURN_IF_ERROR(CheckIds());
    plan_.output = places_.at(model_.layers.back().name).value;
    if (!plan_.values[plan_.output].needs_gradient) {
      return absl::InvalidArgumentError(
          "the model has nothing to learn; add a conv or dense layer to model.layers that is not "
          "frozen");
    }
    BATON_ASSIGN_OR_RETURN(plan_.layout, LayOutOutput(model_, shapes_.back().out));
    return std::move(plan_);
  }

  absl::StatusOr<Plan> RunFor(const std::vector<std::string>& names) {
    // One reader more, so that no other operation swallows them.
    for (const std::string& name : names) ++readers_[name];
    BATON_RETURN_IF_ERROR(PlanLayers());
    for (const std::string& name : names) plan_.outputs.push_back(places_.at(name).value);
    return std::move(plan_);
  }

 private:
  // Where the output of a layer lies, and under which shape the layer gives it.
  struct Place {
    size_t value = 0;
    spec::Shape shape;
  };

  absl::Status PlanLayers() {
    BATON_ASSIGN_OR_RETURN(shapes_, spec::InferShapes(model_));
    BATON_RETURN_IF_ERROR(NameInputs());
    BATON_RETURN_IF_ERROR(FindOffsets());
    for (const spec::ModelInput& input : model_.inputs) {
      places_[input.name] = {plan_.values.size(), input.shape};
      plan_.values.push_back({input.shape, false});
    }
    plan_.inputs = model_.inputs.size();
    for (size_t i = 0; i < model_.layers.size(); ++i) PlanLayer(i);
    return absl::OkStatus();
  }

  // Where a layer's parameters lie.
  struct ParameterPlace {
    size_t offset = 0;
    size_t gradient_offset = 0;
    std::optional<size_t> table;
  };

  // Which layers read which; everything but the last must be read.
  absl::Status NameInputs() {
    std::string previous = model_.inputs[0].name;
    for (const spec::Layer& layer : model_.layers) {
      std::vector<std::string> names = layer.inputs;
      if (names.empty()) names = {previous};
      for (const std::string& name : names) ++readers_[name];
      inputs_.push_back(std::move(names));
      previous = layer.name;
    }
    if (model_.layers.empty()) {
      return absl::InvalidArgumentError("the model has nothing to learn: it has no layers");
    }
    for (size_t i = 0; i + 1 < model_.layers.size(); ++i) {
      if (readers_.count(model_.layers[i].name) > 0) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("layer ", model_.layers[i].name,
                       ": no layer takes its output; name it in `inputs`, or remove it"));
    }
    return absl::OkStatus();
  }

  // Ids are whole numbers: there is no gradient that could reach what makes them.
  absl::Status CheckIds() const {
    for (const PlannedOperation& operation : plan_.operations) {
      const bool learned = plan_.values[operation.inputs[0]].needs_gradient;
      if (!learned || !std::holds_alternative<EmbeddingOperation>(operation.shape)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("layer ", model_.layers[operation.layer].name,
                       ": an embedding takes ids, which cannot be learned; let it read an input of "
                       "the model"));
    }
    return absl::OkStatus();
  }

  absl::Status FindOffsets() {
    BATON_ASSIGN_OR_RETURN(const auto parameters, spec::Parameters(model_));
    places_of_parameters_.resize(model_.layers.size());
    ParameterPlace next;
    size_t tables = 0;
    size_t next_layer = 0;
    for (const spec::Parameter& parameter : parameters) {
      for (; next_layer <= parameter.layer; ++next_layer) places_of_parameters_[next_layer] = next;
      const auto count = static_cast<size_t>(spec::ElementCount(parameter.shape));
      if (parameter.sparse) places_of_parameters_[parameter.layer].table = tables++;
      next.offset += count;
      if (!parameter.sparse) next.gradient_offset += count;
    }
    for (; next_layer < model_.layers.size(); ++next_layer) {
      places_of_parameters_[next_layer] = next;
    }
    return absl::OkStatus();
  }

  void PlanLayer(size_t i) {
    const spec::Layer& layer = model_.layers[i];
    if (JoinsRelu(i)) return;
    std::vector<size_t> values;
    std::vector<spec::Shape> ins;
    for (const std::string& name : inputs_[i]) {
      const Place& place = IgnoresExtents(layer.op) ? places_.at(name) : Viewed(name, i);
      values.push_back(place.value);
      ins.push_back(plan_.values[place.value].shape);
    }
    const bool elementwise = std::holds_alternative<spec::Dropout>(layer.op) ||
                             std::holds_alternative<spec::Activation>(layer.op);
    const spec::Shape& out = elementwise ? ins[0] : shapes_[i].out;
    auto operation = std::visit(
        OperationOf{ins, out, layer.frozen, model_.precision == spec::Precision::kBfloat16},
        layer.op);
    if (!operation) {  // a flatten: the same value under another shape
      const std::string& input = inputs_[i][0];
      const size_t value = places_.at(input).value;
      places_[layer.name] = {value, shapes_[i].out};
      if (readers_.at(input) > 1) shared_.insert(value);
      return;
    }
    ClipAfterPool(values[0], *operation);
    const size_t value = Add(*std::move(operation), std::move(values), i);
    places_[layer.name] = {value, shapes_[i].out};
  }

  // The value under the shape by which the model calls it: through a view when it was flattened.
  const Place& Viewed(const std::string& name, size_t layer) {
    Place& place = places_.at(name);
    const SampleShape lies = plan_.values[place.value].shape;
    // A global pooling leaves (C, 1, 1) for (C), which is the same row of values for all but these.
    if (lies != place.shape) {
      place.value = Add(ViewOperation{lies, place.shape}, {place.value}, layer);
    }
    return place;
  }

  size_t Add(OperationShape shape, std::vector<size_t> inputs, size_t layer) {
    const bool frozen = model_.layers[layer].frozen;
    const bool view = std::holds_alternative<ViewOperation>(shape);
    bool learns = !frozen && !view && ParameterCount(shape) > 0;
    for (const size_t input : inputs) learns = learns || plan_.values[input].needs_gradient;
    const size_t value = plan_.values.size();
    plan_.values.push_back({OutputShape(shape), learns});
    maker_[value] = plan_.operations.size();
    const ParameterPlace& at = places_of_parameters_[layer];
    plan_.operations.push_back({std::move(shape), at.offset, at.gradient_offset,
                                view ? std::nullopt : at.table, layer, std::move(inputs), value,
                                frozen});
    return value;
  }

  // Makes a ReLU part of the operation before it, if that can clip its output and only it reads it.
  bool JoinsRelu(size_t i) {
    const spec::Layer& layer = model_.layers[i];
    const auto* activation = std::get_if<spec::Activation>(&layer.op);
    if (activation == nullptr || activation->kind != spec::Activation::Kind::kRelu) return false;
    const std::string& input = inputs_[i][0];
    const Place& place = places_.at(input);
    const auto maker = maker_.find(place.value);
    if (readers_.at(input) != 1 || maker == maker_.end() || shared_.count(place.value) > 0) {
      return false;
    }
    Activation* joined = ActivationOf(plan_.operations[maker->second].shape);
    if (joined == nullptr) return false;
    *joined = Activation::kRelu;
    places_[layer.name] = place;
    if (readers_[layer.name] > 1) shared_.insert(place.value);
    return true;
  }

  // The largest of clipped values is the clipped largest, and where all are clipped no gradient
  // passes in either order: the bits are the same, on a quarter of the values for a 2x2 window.
  void ClipAfterPool(size_t input, OperationShape& operation) {
    auto* pool = std::get_if<MaxPoolOperation>(&operation);
    const auto maker = maker_.find(input);
    if (pool == nullptr || maker == maker_.end() || shared_.count(input) > 0) return;
    Activation* activation = ActivationOf(plan_.operations[maker->second].shape);
    if (activation == nullptr || *activation == Activation::kNone) return;
    pool->activation = *activation;
    *activation = Activation::kNone;
  }

  const spec::Model& model_;
  std::vector<spec::LayerShape> shapes_;
  std::vector<ParameterPlace> places_of_parameters_;  // by layer
  std::vector<std::vector<std::string>> inputs_;      // by layer, names
  std::map<std::string, int> readers_;
  std::map<std::string, Place> places_;
  std::map<size_t, size_t> maker_;  // by value: index of its operation
  std::set<size_t> shared_;         // values that several layers read under different names
  Plan plan_;
};

}  // namespace

absl::StatusOr<Plan> PlanOperations(const spec::Model& model) { return Planner(model).Run(); }

int64_t BlockFor(const Plan& plan) {
  constexpr int64_t kBlockBytes = int64_t{64} << 20;
  constexpr int64_t kBlockMax = 64;
  int64_t values = 0;
  for (const PlannedValue& value : plan.values) values += ElementCount(value.shape);
  const int64_t bytes = std::max<int64_t>(values, 1) * static_cast<int64_t>(sizeof(float));
  return std::clamp<int64_t>(kBlockBytes / bytes, 1, kBlockMax);
}

absl::StatusOr<Plan> PlanOutputs(const spec::Model& model, const std::vector<std::string>& names) {
  return Planner(model).RunFor(names);
}

}  // namespace baton::trainer
