#include "common/spec/weights_plan.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/spec/layer_names.h"
#include "common/spec/shapes.h"
#include "common/spec/text.h"
#include "common/status.h"

namespace baton::spec {
namespace {

using weights::Tensor;

constexpr size_t kListedMax = 20;

// "a, b and 3 more".
std::string Listed(const std::vector<std::string>& names) {
  const size_t shown = std::min(names.size(), kListedMax);
  const size_t more = names.size() - shown;
  return absl::StrCat(
      absl::StrJoin(names.begin(), names.begin() + static_cast<ptrdiff_t>(shown), ", "),
      more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

// Whether the layer, or one that it is a part of by its dots, is to be left out.
bool IsSkipped(const std::string& layer, const std::vector<std::string>& skip) {
  return std::any_of(skip.begin(), skip.end(), [&](const std::string& name) {
    return layer == name || absl::StartsWith(layer, absl::StrCat(name, "."));
  });
}

class Planner {
 public:
  Planner(const Model& model, std::vector<Parameter> parameters, std::vector<LayerShape> shapes)
      : model_(model), parameters_(std::move(parameters)), shapes_(std::move(shapes)) {}

  absl::StatusOr<WeightsPlan> Plan(const weights::WeightsFile& file,
                                   const std::vector<std::string>& skip, WeightsUse use) {
    use_ = use;
    BATON_RETURN_IF_ERROR(NameTensors(file));
    for (size_t i = 0; i < parameters_.size(); ++i) {
      const bool skipped = IsSkipped(model_.layers[parameters_[i].layer].name, skip);
      const auto tensor = by_name_.find(parameters_[i].name);
      if (skipped || (tensor == by_name_.end() && MayLack(parameters_[i]))) {
        if (tensor != by_name_.end()) taken_.insert(tensor->second->name);
      } else if (tensor == by_name_.end()) {
        missing_.push_back(parameters_[i].name);
        last_wrong_ = parameters_[i].layer;
      } else {
        taken_.insert(tensor->second->name);
        Take(i, *tensor->second);
      }
    }
    for (const Tensor& tensor : file.tensors()) NoteUnused(tensor.name);
    for (const std::string& name : file.others()) NoteUnused(name);
    BATON_RETURN_IF_ERROR(Complaint());
    return std::move(plan_);
  }

 private:
  // Sorts the file's tensors by the names of our parameters.
  absl::Status NameTensors(const weights::WeightsFile& file) {
    std::set<std::string> own;
    for (const Parameter& parameter : parameters_) own.insert(parameter.name);
    std::vector<std::string> strange;
    for (const Tensor& tensor : file.tensors()) {
      if (own.count(tensor.name) > 0) {
        by_name_[tensor.name] = &tensor;
        continue;
      }
      const size_t dot = tensor.name.rfind('.');
      if (dot == std::string::npos) continue;
      const std::string layer = OwnLayerName(tensor.name.substr(0, dot), model_);
      if (!layer.empty()) {
        by_name_.try_emplace(layer + tensor.name.substr(dot), &tensor);
      } else if (tensor.channels_last) {
        strange.push_back(tensor.name.substr(0, dot));
      }
    }
    std::sort(strange.begin(), strange.end());
    strange.erase(std::unique(strange.begin(), strange.end()), strange.end());
    BATON_ASSIGN_OR_RETURN(const auto numbered, NumberedLayers(strange, model_));
    for (const Tensor& tensor : file.tensors()) {
      const size_t dot = tensor.name.rfind('.');
      if (dot == std::string::npos) continue;
      const auto layer = numbered.find(tensor.name.substr(0, dot));
      if (layer == numbered.end()) continue;
      by_name_.try_emplace(layer->second + tensor.name.substr(dot), &tensor);
    }
    return absl::OkStatus();
  }

  // Keras' batch normalisation may go without gamma or beta, which are then ones and zeros.
  bool MayLack(const Parameter& parameter) const {
    const Layer& layer = model_.layers[parameter.layer];
    if (!std::holds_alternative<BatchNorm>(layer.op) || !parameter.trained) return false;
    const auto beside = by_name_.find(layer.name + ".running_var");
    return beside != by_name_.end() && beside->second->channels_last;
  }

  // The image that the layer's vector was before it was flattened.
  std::optional<Shape> FlattenedImage(size_t layer) const {
    const auto index_of = [&](const std::string& name) {
      size_t i = 0;
      while (i < model_.layers.size() && model_.layers[i].name != name) ++i;
      return i;
    };
    for (size_t i = layer; i < model_.layers.size();) {
      const std::vector<std::string>& inputs = model_.layers[i].inputs;
      if (inputs.size() > 1 || (inputs.empty() && i == 0)) return std::nullopt;
      const size_t before = inputs.empty() ? i - 1 : index_of(inputs[0]);
      if (before == model_.layers.size()) return std::nullopt;
      const LayerOp& op = model_.layers[before].op;
      if (std::holds_alternative<Flatten>(op)) {
        const Shape& image = shapes_[before].in[0];
        if (image.size() != 3) return std::nullopt;
        return image;
      }
      const bool same = std::holds_alternative<Activation>(op) ||
                        std::holds_alternative<Dropout>(op) ||
                        std::holds_alternative<BatchNorm>(op);
      if (!same) return std::nullopt;
      i = before;
    }
    return std::nullopt;
  }

  // The last extent counts the values of an image: channels last there, channels first here.
  void TurnImage(const Shape& image, Tensor* tensor) const {
    const int64_t step = tensor->strides.back();
    tensor->shape.pop_back();
    tensor->strides.pop_back();
    const int64_t channels = image[0], width = image[2];
    tensor->shape.insert(tensor->shape.end(), image.begin(), image.end());
    for (const int64_t stride : {int64_t{1}, width * channels, channels}) {
      tensor->strides.push_back(stride * step);
    }
  }

  void Take(size_t index, Tensor tensor) {
    const Parameter& parameter = parameters_[index];
    const std::vector<int64_t>& there = tensor.shape;
    // A convolution over its whole input is a dense layer: the same values in the same order.
    const bool unrolled = parameter.shape.size() == 2 && there.size() == 4 &&
                          there[0] == parameter.shape[0] &&
                          weights::CountOf(there) == ElementCount(parameter.shape);
    if (there != parameter.shape && !unrolled) {
      differing_.push_back(absl::StrCat(parameter.name, " is ", weights::ShapeText(there),
                                        " there and ", weights::ShapeText(parameter.shape),
                                        " here"));
      last_wrong_ = parameter.layer;
      wrong_layers_.insert(parameter.layer);
      return;
    }
    const LayerOp& op = model_.layers[parameter.layer].op;
    const bool of_inputs =
        (std::holds_alternative<Dense>(op) && parameter.shape.size() == 2) ||
        (std::holds_alternative<BatchNorm>(op) && shapes_[parameter.layer].in[0].size() == 1);
    if (tensor.channels_last && of_inputs) {
      const std::optional<Shape> image = FlattenedImage(parameter.layer);
      if (image && ElementCount(*image) == tensor.shape.back()) TurnImage(*image, &tensor);
    }
    plan_.parts.push_back({index, std::move(tensor)});
  }

  void NoteUnused(const std::string& name) {
    if (taken_.count(name) > 0 || absl::EndsWith(name, ".num_batches_tracked")) return;
    plan_.unused.push_back(name);
  }

  absl::Status Complaint() const {
    if (missing_.empty() && differing_.empty()) return absl::OkStatus();
    std::string text = "does not fit the model";
    if (!missing_.empty()) absl::StrAppend(&text, "; not in it: ", Listed(missing_));
    if (!differing_.empty()) absl::StrAppend(&text, "; of another shape: ", Listed(differing_));
    if (!missing_.empty() && !plan_.unused.empty()) {
      absl::StrAppend(&text, "; it has instead: ", Listed(plan_.unused));
    }
    if (use_ == WeightsUse::kWhole) return absl::InvalidArgumentError(text);
    const std::string layer = model_.layers[last_wrong_].name;
    const bool only_last =
        missing_.empty() && wrong_layers_ == std::set<size_t>{parameters_.back().layer};
    absl::StrAppend(&text,
                    only_last ? absl::StrCat("; ", layer,
                                             " is the last layer, and has other classes: to train "
                                             "it from the beginning, ")
                              : "; for layers that shall begin as they are drawn, ",
                    "add `skip: [", layer, "]` to the spec's `weights`, or --weights-skip ", layer);
    return absl::InvalidArgumentError(text);
  }

  WeightsUse use_ = WeightsUse::kBegin;
  const Model& model_;
  const std::vector<Parameter> parameters_;
  const std::vector<LayerShape> shapes_;
  std::map<std::string, const Tensor*> by_name_;
  std::set<std::string> taken_;  // by the file's names
  std::vector<std::string> missing_, differing_;
  std::set<size_t> wrong_layers_;
  size_t last_wrong_ = 0;
  WeightsPlan plan_;
};

}  // namespace

absl::StatusOr<WeightsPlan> PlanWeights(const weights::WeightsFile& file, const Model& model,
                                        const std::vector<std::string>& skip, WeightsUse use) {
  const std::vector<std::string> unknown = UnknownSkips(model, skip);
  if (!unknown.empty()) return absl::InvalidArgumentError(absl::StrJoin(unknown, "; "));
  BATON_ASSIGN_OR_RETURN(std::vector<Parameter> parameters, Parameters(model));
  BATON_ASSIGN_OR_RETURN(std::vector<LayerShape> shapes, InferShapes(model));
  return Planner(model, std::move(parameters), std::move(shapes)).Plan(file, skip, use);
}

std::vector<std::string> UnknownSkips(const Model& model, const std::vector<std::string>& skip) {
  std::vector<std::string> unknown, layers;
  const absl::StatusOr<std::vector<Parameter>> parameters = Parameters(model);
  if (!parameters.ok()) return unknown;
  for (const Parameter& parameter : *parameters) {
    const std::string& layer = model.layers[parameter.layer].name;
    if (layers.empty() || layers.back() != layer) layers.push_back(layer);
  }
  for (const std::string& name : skip) {
    const bool known = std::any_of(layers.begin(), layers.end(), [&](const std::string& layer) {
      return IsSkipped(layer, {name});
    });
    if (known) continue;
    const std::vector<std::string> nearest = Nearest(name, layers);
    unknown.push_back(
        absl::StrCat("no layer with weights is called '", Shown(name), "'",
                     nearest.empty() ? "" : absl::StrCat("; did you mean ", OrList(nearest), "?")));
  }
  return unknown;
}

}  // namespace baton::spec
