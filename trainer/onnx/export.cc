#include "trainer/onnx/export.h"

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/spec/shapes.h"
#include "common/status.h"
#include "trainer/layer/network.h"
#include "trainer/onnx/graph.h"

namespace baton::trainer {
namespace {

// Of onnx.proto: the newest that operator set 17 belongs to.
constexpr int64_t kIrVersion = 8;
constexpr int64_t kOperatorSet = 17;

}  // namespace

absl::StatusOr<std::string> ExportOnnx(const spec::Model& model, absl::Span<const float> weights) {
  BATON_ASSIGN_OR_RETURN(const std::vector<Parameter> parameters, ModelParameters(model));
  BATON_ASSIGN_OR_RETURN(const auto shapes, spec::InferShapes(model));
  const size_t count = parameters.empty() ? 0 : parameters.back().offset + parameters.back().count;
  if (weights.size() != count || model.layers.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(weights.size(), " weights for a model of ", count));
  }
  onnx::Graph graph(parameters, weights);
  std::map<std::string, std::string> values;  // by the name of an input or a layer
  std::vector<onnx::Message> inputs;
  for (const spec::ModelInput& input : model.inputs) {
    values[input.name] = input.name;
    inputs.push_back(onnx::BatchOfFloats(input.name, input.shape));
  }
  std::string previous = model.inputs[0].name;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const spec::Layer& layer = model.layers[i];
    std::vector<std::string> in;
    for (const std::string& name : layer.inputs) in.push_back(values.at(name));
    if (in.empty()) in = {values.at(previous)};
    values[layer.name] = onnx::AddLayer(graph, layer, shapes[i], in);
    previous = layer.name;
  }
  const std::string output = "output";
  onnx::Message file, operators;
  operators.Text(1, "");
  operators.Int(2, kOperatorSet);
  file.Int(1, kIrVersion);
  file.Text(2, "baton");
  file.Nested(7, graph.Finish(inputs, onnx::BatchOfFloats(output, shapes.back().out),
                              values.at(previous), output));
  file.Nested(8, operators);
  return file.bytes();
}

}  // namespace baton::trainer
