#include "trainer/onnx/graph.h"

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace baton::trainer::onnx {

Graph::Graph(const std::vector<Parameter>& parameters, absl::Span<const float> weights)
    : weights_(weights) {
  for (const Parameter& parameter : parameters) parameters_[parameter.name] = &parameter;
}

std::string Graph::FreshName() { return absl::StrCat("#", ++names_); }

Node& Graph::Add(absl::string_view type, const std::vector<std::string>& inputs,
                 std::string* output) {
  *output = FreshName();
  return nodes_.emplace_back(type, inputs, std::vector<std::string>{*output});
}

std::string Graph::Add(absl::string_view type, const std::vector<std::string>& inputs) {
  std::string output;
  Add(type, inputs, &output);
  return output;
}

absl::Span<const float> Graph::Values(const std::string& parameter) const {
  const auto it = parameters_.find(parameter);
  BATON_CHECK(it != parameters_.end(), "no parameter " + parameter);
  return weights_.subspan(it->second->offset, it->second->count);
}

std::string Graph::Weight(const std::string& parameter, const spec::Shape& shape) {
  const std::string key = absl::StrCat(parameter, " ", spec::ShapeText(shape));
  auto [it, fresh] = known_.try_emplace(key, parameter);
  if (!fresh) return it->second;
  if (!shape.empty()) it->second = FreshName();
  const Parameter& own = *parameters_.at(parameter);
  initializers_.push_back(
      FloatTensor(it->second, shape.empty() ? own.shape : shape, Values(parameter)));
  return it->second;
}

std::string Graph::Floats(absl::Span<const int64_t> dims, absl::Span<const float> values) {
  std::string name = FreshName();
  initializers_.push_back(FloatTensor(name, dims, values));
  return name;
}

std::string Graph::Ints(absl::Span<const int64_t> values) {
  std::string name = FreshName();
  const auto count = static_cast<int64_t>(values.size());
  initializers_.push_back(IntTensor(name, {&count, 1}, values));
  return name;
}

Message Graph::Finish(const std::vector<Message>& inputs, const Message& output_info,
                      const std::string& last, const std::string& output) const {
  Message graph;
  for (const Node& node : nodes_) graph.Nested(1, node.message());
  graph.Nested(1, Node("Identity", {last}, {output}).message());
  graph.Text(2, "baton");
  for (const Message& initializer : initializers_) graph.Nested(5, initializer);
  for (const Message& input : inputs) graph.Nested(11, input);
  graph.Nested(12, output_info);
  return graph;
}

}  // namespace baton::trainer::onnx
