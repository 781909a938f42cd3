// Each layer of a model in ONNX's operators (onnx.ai/onnx/operators).
#include <utility>

#include "absl/strings/str_cat.h"
#include "trainer/onnx/graph.h"

namespace baton::trainer::onnx {
namespace {

using Ints64 = std::vector<int64_t>;

Ints64 Both(const spec::Extent& extent) { return {extent.height, extent.width}; }
// ONNX wants begin and end of each axis.
Ints64 Pads(const spec::Extent& p) { return {p.height, p.width, p.height, p.width}; }

struct Layer {
  Graph& graph;
  const std::string& name;
  const spec::LayerShape& shape;
  const std::vector<std::string>& inputs;

  const std::string& x() const { return inputs[0]; }
  const spec::Shape& in() const { return shape.in[0]; }
  std::string Weight(const char* own) const { return graph.Weight(absl::StrCat(name, ".", own)); }
  std::string Reduced(const char* type, const std::string& input, int64_t axis) const {
    std::string y;
    graph.Add(type, {input}, &y).Ints("axes", {axis}).Int("keepdims", 0);
    return y;
  }

  template <class Windowed>
  Node& Window(const char* type, const Windowed& op, const std::vector<std::string>& all,
               std::string* y) const {
    return graph.Add(type, all, y)
        .Ints("kernel_shape", Both(op.kernel))
        .Ints("strides", Both(op.stride))
        .Ints("pads", Pads(op.padding));
  }

  std::string operator()(const spec::Conv& conv) const {
    std::vector<std::string> all = {x(), Weight("weight")};
    if (conv.bias) all.push_back(Weight("bias"));
    std::string y;
    Window("Conv", conv, all, &y).Ints("dilations", Both(conv.dilation)).Int("group", conv.groups);
    return y;
  }
  std::string operator()(const spec::MaxPool& pool) const {
    std::string y;
    Window("MaxPool", pool, {x()}, &y);
    return y;
  }
  std::string operator()(const spec::AvgPool& pool) const {
    std::string y;
    Window("AveragePool", pool, {x()}, &y).Int("count_include_pad", pool.count_padding ? 1 : 0);
    return y;
  }
  std::string operator()(const spec::GlobalPool& pool) const {
    const bool largest = pool.kind == spec::GlobalPool::Kind::kMax;
    if (in().size() == 2) return Reduced(largest ? "ReduceMax" : "ReduceMean", x(), 1);
    std::string y;
    graph.Add("Flatten", {graph.Add(largest ? "GlobalMaxPool" : "GlobalAveragePool", {x()})}, &y)
        .Int("axis", 1);
    return y;
  }
  std::string operator()(const spec::BatchNorm& norm) const {
    std::string y;
    graph
        .Add("BatchNormalization",
             {x(), Weight("weight"), Weight("bias"), Weight("running_mean"), Weight("running_var")},
             &y)
        .Float("epsilon", static_cast<float>(norm.epsilon));
    return y;
  }
  std::string operator()(const spec::LayerNorm& norm) const {
    std::string y;
    graph.Add("LayerNormalization", {x(), Weight("weight"), Weight("bias")}, &y)
        .Int("axis", -1)
        .Float("epsilon", static_cast<float>(norm.epsilon));
    return y;
  }
  std::string operator()(const spec::Activation& activation) const {
    using Kind = spec::Activation::Kind;
    const auto slope = static_cast<float>(activation.slope);
    std::string y;
    switch (activation.kind) {
      case Kind::kRelu:
        return graph.Add("Relu", {x()});
      case Kind::kLeakyRelu:
        graph.Add("LeakyRelu", {x()}, &y).Float("alpha", slope);
        return y;
      case Kind::kElu:
        graph.Add("Elu", {x()}, &y).Float("alpha", slope);
        return y;
      case Kind::kSigmoid:
        return graph.Add("Sigmoid", {x()});
      case Kind::kTanh:
        return graph.Add("Tanh", {x()});
      case Kind::kGelu: {
        const std::string scaled = graph.Add("Div", {x(), graph.Number(1.41421356237f)});
        const std::string share = graph.Add("Add", {graph.Add("Erf", {scaled}), graph.Number(1)});
        return graph.Add("Mul", {graph.Add("Mul", {x(), share}), graph.Number(0.5f)});
      }
      case Kind::kSilu:
        return graph.Add("Mul", {x(), graph.Add("Sigmoid", {x()})});
    }
    return y;
  }
  std::string operator()(const spec::Flatten&) const {
    std::string y;
    graph.Add("Flatten", {x()}, &y).Int("axis", 1);
    return y;
  }
  std::string operator()(const spec::Reshape& reshape) const {
    Ints64 to = {-1};
    to.insert(to.end(), reshape.to.begin(), reshape.to.end());
    return graph.Add("Reshape", {x(), graph.Ints(to)});
  }
  std::string operator()(const spec::Dense& dense) const {
    const std::string bias = dense.bias ? Weight("bias") : "";
    if (in().size() == 2) {
      return AddRows(graph, name + ".weight", {dense.out, in().back()}, bias, x());
    }
    std::vector<std::string> all = {x(), Weight("weight")};
    if (dense.bias) all.push_back(bias);
    std::string y;
    graph.Add("Gemm", all, &y).Int("transB", 1);
    return y;
  }
  std::string operator()(const spec::Dropout&) const { return x(); }
  std::string operator()(const spec::Embedding&) const {
    constexpr int64_t kInt64 = 7;  // TensorProto.DataType
    std::string ids, y;
    graph.Add("Cast", {x()}, &ids).Int("to", kInt64);
    graph.Add("Gather", {Weight("weight"), ids}, &y).Int("axis", 0);
    return y;
  }
  std::string operator()(const spec::Position&) const {
    return graph.Add("Add", {x(), Weight("weight")});
  }
  std::string operator()(const spec::Recurrent& recurrent) const {
    return AddRecurrent(graph, name, recurrent, in(), x());
  }
  std::string operator()(const spec::Attention& attention) const {
    return AddAttention(graph, name, attention, in(), x());
  }
  std::string operator()(const spec::Last&) const {
    const std::string row =
        graph.Add("Slice", {x(), graph.Ints({-1}), graph.Ints({in()[0]}), graph.Ints({1})});
    return graph.Add("Squeeze", {row, graph.Ints({1})});
  }
  std::string operator()(const spec::Concat&) const {
    std::string y;
    graph.Add("Concat", inputs, &y).Int("axis", in().size() == 3 ? 1 : -1);
    return y;
  }
  std::string Chain(const char* type) const {
    std::string y = inputs[0];
    for (size_t i = 1; i < inputs.size(); ++i) y = graph.Add(type, {y, inputs[i]});
    return y;
  }
  std::string operator()(const spec::Add&) const { return Chain("Add"); }
  std::string operator()(const spec::Multiply&) const { return Chain("Mul"); }
  std::string operator()(const spec::Dot& dot) const {
    const spec::Shape& a = shape.in[0];
    const spec::Shape& b = shape.in[1];
    // Both as rows of D; a single one is repeated by the product itself.
    const auto rows = [&](const std::string& value, const spec::Shape& own) {
      return own.size() == 2 ? value : graph.Add("Reshape", {value, graph.Ints({-1, 1, own[0]})});
    };
    const std::string left = rows(inputs[0], a);
    const std::string right = rows(inputs[1], b);
    const auto sum = [&](const std::string& value) {
      std::string y;
      graph.Add("ReduceSum", {value, graph.Ints({-1})}, &y).Int("keepdims", 0);
      return y;
    };
    const std::string products = sum(graph.Add("Mul", {left, right}));
    if (!dot.cosine) return products;
    const auto length = [&](const std::string& value) {
      const std::string root = graph.Add("Sqrt", {sum(graph.Add("Mul", {value, value}))});
      return graph.Add("Max", {root, graph.Number(1e-8f)});
    };
    return graph.Add("Div", {products, graph.Add("Mul", {length(left), length(right)})});
  }
};

}  // namespace

std::string AddRows(Graph& graph, const std::string& weight, const spec::Shape& weight_shape,
                    const std::string& bias, const std::string& input) {
  const int64_t out = weight_shape[0];
  const int64_t in = weight_shape[1];
  const absl::Span<const float> values = graph.Values(weight);
  std::vector<float> turned(values.size());
  for (int64_t o = 0; o < out; ++o)
    for (int64_t i = 0; i < in; ++i) turned[i * out + o] = values[o * in + i];
  const std::string product = graph.Add("MatMul", {input, graph.Floats({in, out}, turned)});
  return bias.empty() ? product : graph.Add("Add", {product, bias});
}

std::string AddLayer(Graph& graph, const spec::Layer& layer, const spec::LayerShape& shape,
                     const std::vector<std::string>& inputs) {
  return std::visit(Layer{graph, layer.name, shape, inputs}, layer.op);
}

}  // namespace baton::trainer::onnx
