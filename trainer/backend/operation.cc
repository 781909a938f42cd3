#include "trainer/backend/operation.h"

namespace baton::trainer {

namespace {

struct InputsOf {
  using Shapes = std::vector<SampleShape>;
  Shapes operator()(const ConvOperation& o) const { return {o.in}; }
  Shapes operator()(const MaxPoolOperation& o) const { return {o.in}; }
  Shapes operator()(const AvgPoolOperation& o) const { return {o.in}; }
  Shapes operator()(const SequencePoolOperation& o) const { return {o.in}; }
  Shapes operator()(const DenseOperation& o) const { return {o.in}; }
  Shapes operator()(const EmbeddingOperation& o) const { return {o.in}; }
  Shapes operator()(const RecurrentOperation& o) const { return {o.in}; }
  Shapes operator()(const LastOperation& o) const { return {o.in}; }
  Shapes operator()(const ViewOperation& o) const { return {o.in}; }
  Shapes operator()(const ConcatOperation& o) const { return o.ins; }
  Shapes operator()(const AddOperation& o) const { return Shapes(o.inputs, o.shape); }
  Shapes operator()(const MultiplyOperation& o) const { return Shapes(o.inputs, o.shape); }
  Shapes operator()(const DotOperation& o) const { return {o.a, o.b}; }
  template <class Elementwise>
  Shapes operator()(const Elementwise& o) const {
    return {o.shape};
  }
};

struct OutputOf {
  SampleShape operator()(const ConvOperation& o) const { return o.out; }
  SampleShape operator()(const MaxPoolOperation& o) const { return o.out; }
  SampleShape operator()(const AvgPoolOperation& o) const { return o.out; }
  SampleShape operator()(const SequencePoolOperation& o) const { return {o.in[1]}; }
  SampleShape operator()(const DenseOperation& o) const { return o.out; }
  SampleShape operator()(const EmbeddingOperation& o) const { return {o.in[0], o.width}; }
  SampleShape operator()(const RecurrentOperation& o) const { return {o.in[0], o.hidden}; }
  SampleShape operator()(const LastOperation& o) const { return {o.in[1]}; }
  SampleShape operator()(const ViewOperation& o) const { return o.out; }
  SampleShape operator()(const ConcatOperation& o) const { return o.out; }
  SampleShape operator()(const DotOperation& o) const { return {o.b.size() == 2 ? o.b[0] : 1}; }
  template <class Elementwise>
  SampleShape operator()(const Elementwise& o) const {
    return o.shape;
  }
};

struct ParametersOf {
  int64_t operator()(const ConvOperation& o) const {
    const int64_t weight = o.out[0] * (o.in[0] / o.groups) * o.kernel.height * o.kernel.width;
    return weight + (o.bias ? o.out[0] : 0);
  }
  int64_t operator()(const DenseOperation& o) const {
    return o.out.back() * (ElementCount(o.in) / o.rows + (o.bias ? 1 : 0));
  }
  int64_t operator()(const BatchNormOperation& o) const { return 4 * o.shape[0]; }
  int64_t operator()(const LayerNormOperation& o) const { return 2 * o.shape.back(); }
  int64_t operator()(const EmbeddingOperation& o) const { return o.vocabulary * o.width; }
  int64_t operator()(const PositionOperation& o) const { return ElementCount(o.shape); }
  int64_t operator()(const RecurrentOperation& o) const {
    const int64_t rows = (o.cell == Cell::kLstm ? 4 : 3) * o.hidden;
    return rows * (o.in[1] + o.hidden + 2);
  }
  int64_t operator()(const AttentionOperation& o) const {
    const int64_t width = o.shape[1];
    return 4 * width * (width + 1);
  }
  template <class WithoutParameters>
  int64_t operator()(const WithoutParameters&) const {
    return 0;
  }
};

}  // namespace

std::vector<SampleShape> InputShapes(const OperationShape& operation) {
  return std::visit(InputsOf{}, operation);
}

SampleShape OutputShape(const OperationShape& operation) {
  return std::visit(OutputOf{}, operation);
}

int64_t ParameterCount(const OperationShape& operation) {
  return std::visit(ParametersOf{}, operation);
}

int64_t ElementCount(const SampleShape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

}  // namespace baton::trainer
