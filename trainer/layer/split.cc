#include "trainer/layer/split.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/spec/shapes.h"

namespace baton::trainer {
namespace {

bool DrawsAtRandom(const spec::LayerOp& op) {
  const auto* dropout = std::get_if<spec::Dropout>(&op);
  return dropout != nullptr && dropout->rate > 0;
}

class Splitter {
 public:
  explicit Splitter(const spec::Model& model) : model_(model) {}

  std::optional<Split> Run() {
    const auto shapes = spec::InferShapes(model_);
    const auto parameters = spec::Parameters(model_);
    if (!shapes.ok() || !parameters.ok() || model_.layers.empty()) return std::nullopt;
    for (const spec::Parameter& parameter : *parameters) {
      sizes_[parameter.layer] += static_cast<size_t>(spec::ElementCount(parameter.shape));
    }
    for (const spec::ModelInput& input : model_.inputs) shapes_[input.name] = input.shape;
    for (size_t i = 0; i < shapes->size(); ++i) shapes_[model_.layers[i].name] = (*shapes)[i].out;
    Deal();
    if (split_.body_parameters == 0 || split_.head.layers.empty()) return std::nullopt;
    Cut();
    int64_t sample = 0, cut = 0;
    for (const spec::ModelInput& input : model_.inputs) sample += spec::ElementCount(input.shape);
    for (const spec::Shape& shape : split_.cut_shapes) cut += spec::ElementCount(shape);
    if (cut > sample) return std::nullopt;
    return std::move(split_);
  }

 private:
  // Each layer to body or head.
  void Deal() {
    split_.body = split_.head = model_;
    split_.body.layers.clear();
    split_.head.layers.clear();
    for (const spec::ModelInput& input : model_.inputs) fixed_.insert(input.name);
    std::string previous = model_.inputs[0].name;
    bool head_has_parameters = false;
    for (size_t i = 0; i < model_.layers.size(); ++i) {
      spec::Layer layer = model_.layers[i];
      if (layer.inputs.empty()) layer.inputs = {previous};
      previous = layer.name;
      const size_t parameters = sizes_.count(i) > 0 ? sizes_.at(i) : 0;
      // Parameters of the body lie before all others.
      const bool fixed =
          !DrawsAtRandom(layer.op) && (parameters == 0 || (layer.frozen && !head_has_parameters)) &&
          std::all_of(layer.inputs.begin(), layer.inputs.end(),
                      [this](const std::string& input) { return fixed_.count(input) > 0; });
      if (fixed) {
        fixed_.insert(layer.name);
        split_.body_parameters += parameters;
        split_.body.layers.push_back(std::move(layer));
      } else {
        head_has_parameters = head_has_parameters || parameters > 0;
        split_.head.layers.push_back(std::move(layer));
        split_.head_layers.push_back(i);
      }
    }
  }

  void Cut() {
    std::set<std::string> read;
    for (const spec::Layer& layer : split_.head.layers) {
      read.insert(layer.inputs.begin(), layer.inputs.end());
    }
    split_.head.inputs.clear();
    const auto add = [&](const std::string& name) {
      if (read.count(name) == 0) return;
      split_.cut.push_back(name);
      split_.cut_shapes.push_back(shapes_.at(name));
      split_.head.inputs.push_back({name, shapes_.at(name)});
    };
    for (const spec::ModelInput& input : model_.inputs) add(input.name);
    for (const spec::Layer& layer : split_.body.layers) add(layer.name);
  }

  const spec::Model& model_;
  std::map<size_t, size_t> sizes_;  // by layer: floats of its parameters
  std::map<std::string, spec::Shape> shapes_;
  std::set<std::string> fixed_;  // names of what is the same each time
  Split split_;
};

}  // namespace

std::optional<Split> SplitFrozen(const spec::Model& model) { return Splitter(model).Run(); }

}  // namespace baton::trainer
