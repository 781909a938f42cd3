// The graph of an ONNX file while it is written, layer by layer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "common/spec/model.h"
#include "common/spec/shapes.h"
#include "trainer/layer/network.h"
#include "trainer/onnx/message.h"

namespace baton::trainer::onnx {

class Graph {
 public:
  Graph(const std::vector<Parameter>& parameters, absl::Span<const float> weights);

  // Appends a node with one output, which it returns; the name is of its own.
  Node& Add(absl::string_view type, const std::vector<std::string>& inputs, std::string* output);
  std::string Add(absl::string_view type, const std::vector<std::string>& inputs);

  // The model's parameter as an initializer, in its own shape or another of the same size.
  std::string Weight(const std::string& parameter, const spec::Shape& shape = {});
  absl::Span<const float> Values(const std::string& parameter) const;
  // Constants of the layer at hand.
  std::string Floats(absl::Span<const int64_t> dims, absl::Span<const float> values);
  std::string Ints(absl::Span<const int64_t> values);
  std::string Number(float value) { return Floats({}, {&value, 1}); }

  // The GraphProto: the value `last` leaves it under the name `output`.
  Message Finish(const std::vector<Message>& inputs, const Message& output_info,
                 const std::string& last, const std::string& output) const;

 private:
  std::string FreshName();

  std::map<std::string, const Parameter*> parameters_;
  absl::Span<const float> weights_;
  std::vector<Node> nodes_;
  std::vector<Message> initializers_;
  std::map<std::string, std::string> known_;  // parameters that are initializers already
  int names_ = 0;
};

// The layer's nodes; returns the name of its output.
std::string AddLayer(Graph& graph, const spec::Layer& layer, const spec::LayerShape& shape,
                     const std::vector<std::string>& inputs);

// Those of more than a few nodes, in files of their own.
std::string AddRecurrent(Graph& graph, const std::string& layer, const spec::Recurrent& recurrent,
                         const spec::Shape& in, const std::string& input);
std::string AddAttention(Graph& graph, const std::string& layer, const spec::Attention& attention,
                         const spec::Shape& in, const std::string& input);
// x W^T + b at the last extent of a sequence; `bias` may be empty.
std::string AddRows(Graph& graph, const std::string& weight, const spec::Shape& weight_shape,
                    const std::string& bias, const std::string& input);

}  // namespace baton::trainer::onnx
