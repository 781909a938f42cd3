#include "tests/trainer/backend/random_operation.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <utility>

#include "common/status.h"

namespace baton::trainer {
namespace {

SampleShape RandomImage(Random& random) {
  return {random.Between(1, 20), random.Between(1, 17), random.Between(1, 17)};
}

SampleShape RandomSequence(Random& random) { return {random.Between(1, 9), random.Between(1, 20)}; }

SampleShape RandomShape(Random& random) {
  const uint64_t rank = random.Below(3);
  if (rank == 0) return {random.Between(1, 300)};
  return rank == 1 ? RandomSequence(random) : RandomImage(random);
}

Activation RandomActivation(Random& random) {
  return random.Chance(1, 2) ? Activation::kRelu : Activation::kNone;
}

int64_t Cells(int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

Extent RandomExtent(Random& random, int64_t min, int64_t max) {
  return {random.Between(min, max), random.Between(min, max)};
}

OperationShape MakeShape(Random& random, const ConvOperation&) {
  ConvOperation conv;
  conv.groups = random.Chance(1, 3) ? random.Between(2, 4) : 1;
  conv.in = RandomImage(random);
  conv.in[0] *= conv.groups;
  conv.padding = RandomExtent(random, 0, 3);
  conv.stride = RandomExtent(random, 1, 3);
  conv.dilation = random.Chance(1, 3) ? RandomExtent(random, 1, 3) : Extent{1, 1};
  const auto kernel = [&](int64_t in, int64_t padding, int64_t dilation) {
    return random.Between(1, std::min<int64_t>(7, (in + 2 * padding - 1) / dilation + 1));
  };
  conv.kernel = {kernel(conv.in[1], conv.padding.height, conv.dilation.height),
                 kernel(conv.in[2], conv.padding.width, conv.dilation.width)};
  conv.out = {conv.groups * random.Between(1, 35 / conv.groups),
              Cells(conv.in[1], conv.kernel.height, conv.stride.height, conv.padding.height,
                    conv.dilation.height),
              Cells(conv.in[2], conv.kernel.width, conv.stride.width, conv.padding.width,
                    conv.dilation.width)};
  conv.bias = random.Chance(3, 4);
  conv.activation = RandomActivation(random);
  return conv;
}

template <class Pool>
Pool RandomPool(Random& random) {
  Pool pool;
  pool.in = RandomImage(random);
  pool.kernel = {random.Between(1, std::min<int64_t>(4, pool.in[1])),
                 random.Between(1, std::min<int64_t>(4, pool.in[2]))};
  pool.padding = {random.Between(0, pool.kernel.height / 2),
                  random.Between(0, pool.kernel.width / 2)};
  pool.stride = RandomExtent(random, 1, 4);
  pool.out = {pool.in[0],
              Cells(pool.in[1], pool.kernel.height, pool.stride.height, pool.padding.height, 1),
              Cells(pool.in[2], pool.kernel.width, pool.stride.width, pool.padding.width, 1)};
  return pool;
}

OperationShape MakeShape(Random& random, const MaxPoolOperation&) {
  auto pool = RandomPool<MaxPoolOperation>(random);
  pool.activation = RandomActivation(random);
  return pool;
}

OperationShape MakeShape(Random& random, const AvgPoolOperation&) {
  auto pool = RandomPool<AvgPoolOperation>(random);
  pool.count_padding = random.Chance(1, 2);
  return pool;
}

OperationShape MakeShape(Random& random, const SequencePoolOperation&) {
  return SequencePoolOperation{RandomSequence(random), random.Chance(1, 2)};
}

// Few values may lie so close that 1 / their deviation makes any rounding large: a large epsilon
// keeps it small.
float RandomEpsilon(Random& random, int64_t values) {
  if (values < 8) return 0.1f;
  return random.Chance(1, 2) ? 1e-5f : 1e-3f;
}

OperationShape MakeShape(Random& random, const BatchNormOperation&) {
  BatchNormOperation norm;
  norm.shape = random.Chance(1, 2) ? SampleShape{random.Between(1, 99)} : RandomImage(random);
  norm.epsilon = RandomEpsilon(random, ElementCount(norm.shape) / norm.shape[0]);
  norm.frozen = random.Chance(1, 4);
  norm.activation = RandomActivation(random);
  return norm;
}

OperationShape MakeShape(Random& random, const LayerNormOperation&) {
  LayerNormOperation norm;
  norm.shape = random.Chance(1, 2) ? SampleShape{random.Between(1, 99)} : RandomSequence(random);
  norm.epsilon = RandomEpsilon(random, norm.shape.back());
  return norm;
}

OperationShape MakeShape(Random& random, const ActivationOperation&) {
  const Function function = static_cast<Function>(random.Below(7));
  return ActivationOperation{RandomShape(random), function, random.Chance(1, 2) ? 0.01f : 1.0f};
}

OperationShape MakeShape(Random& random, const DenseOperation&) {
  DenseOperation dense;
  dense.in = RandomShape(random);
  if (dense.in.size() == 2) dense.rows = dense.in[0];
  dense.out = {random.Between(1, 150)};
  if (dense.in.size() == 2) dense.out.insert(dense.out.begin(), dense.rows);
  dense.bias = random.Chance(3, 4);
  dense.activation = RandomActivation(random);
  dense.bfloat16 = random.Chance(1, 4);
  return dense;
}

OperationShape MakeShape(Random& random, const DropoutOperation&) {
  const float rates[] = {0.0f, 0.1f, 0.5f, 0.99f};
  return DropoutOperation{RandomShape(random), rates[random.Below(4)]};
}

OperationShape MakeShape(Random& random, const EmbeddingOperation&) {
  return EmbeddingOperation{
      {random.Between(1, 9)}, random.Between(1, 50), random.Between(1, 40), random.Chance(1, 2)};
}

OperationShape MakeShape(Random& random, const PositionOperation&) {
  return PositionOperation{RandomSequence(random)};
}

OperationShape MakeShape(Random& random, const RecurrentOperation&) {
  return RecurrentOperation{random.Chance(1, 2) ? Cell::kLstm : Cell::kGru, RandomSequence(random),
                            random.Between(1, 40)};
}

OperationShape MakeShape(Random& random, const AttentionOperation&) {
  const int64_t heads = random.Between(1, 4);
  const SampleShape shape = {random.Between(1, 12), heads * random.Between(1, 9)};
  return AttentionOperation{shape, heads, random.Chance(1, 2), random.Chance(1, 4)};
}

OperationShape MakeShape(Random& random, const LastOperation&) {
  return LastOperation{RandomSequence(random)};
}

OperationShape MakeShape(Random& random, const ViewOperation&) {
  const SampleShape in = RandomImage(random);
  return ViewOperation{in, random.Chance(1, 2) ? SampleShape{in[0], in[1] * in[2]}
                                               : SampleShape{in[2], in[0], in[1]}};
}

OperationShape MakeShape(Random& random, const ConcatOperation&) {
  ConcatOperation concat;
  const SampleShape first = RandomShape(random);
  const size_t axis = first.size() == 3 ? 0 : first.size() - 1;
  concat.outer = first.size() == 2 ? first[0] : 1;
  concat.out = first;
  concat.out[axis] = 0;
  for (int64_t i = random.Between(2, 4); i > 0; --i) {
    concat.ins.push_back(first);
    concat.ins.back()[axis] = random.Between(1, 20);
    concat.out[axis] += concat.ins.back()[axis];
  }
  return concat;
}

OperationShape MakeShape(Random& random, const AddOperation&) {
  return AddOperation{RandomShape(random), random.Between(2, 4), RandomActivation(random)};
}

OperationShape MakeShape(Random& random, const MultiplyOperation&) {
  return MultiplyOperation{RandomShape(random), random.Between(2, 4)};
}

OperationShape MakeShape(Random& random, const DotOperation&) {
  // The cosine of a short vector changes fast: not of one or two values.
  const SampleShape b = {random.Between(1, 9), random.Between(4, 20)};
  switch (random.Below(4)) {
    case 0:
      return DotOperation{{b[1]}, {b[1]}, random.Chance(1, 2)};
    case 1:
      return DotOperation{{b[1]}, b, random.Chance(1, 2)};
    case 2:
      return DotOperation{{1, b[1]}, b, random.Chance(1, 2)};
    default:
      return DotOperation{b, b, random.Chance(1, 2)};
  }
}

// `levels` > 0: multiples of 1/levels, so that a window has ties. Powers of two are exact, so that
// a sum of them is zero in every backend or in none.
std::vector<float> RandomValues(Random& random, int64_t count, int64_t levels = 0) {
  std::vector<float> values(count);
  for (float& value : values) {
    value = levels > 0
                ? static_cast<float>(random.Between(-levels, levels)) / static_cast<float>(levels)
                : static_cast<float>(random.Between(-1000000, 1000000)) * 1e-6f;
  }
  return values;
}

}  // namespace

OperationShape RandomOperation(Random& random, const OperationShape& like) {
  return std::visit([&](const auto& type) { return MakeShape(random, type); }, like);
}

std::string Text(const OperationShape& operation, int64_t count) {
  std::string text = "count " + std::to_string(count);
  for (const SampleShape& in : InputShapes(operation)) {
    text += " in";
    for (int64_t extent : in) text += " " + std::to_string(extent);
  }
  text += " out";
  for (int64_t extent : OutputShape(operation)) text += " " + std::to_string(extent);
  if (const auto* conv = std::get_if<ConvOperation>(&operation)) {
    for (const Extent& e : {conv->kernel, conv->stride, conv->padding, conv->dilation}) {
      text += " " + std::to_string(e.height) + "x" + std::to_string(e.width);
    }
    text += " groups " + std::to_string(conv->groups);
  }
  return text;
}

Inputs RandomInputs(Random& random, OperationShape operation, int64_t count) {
  const int64_t levels = random.Chance(1, 2) ? 4 : 0;
  Inputs inputs{std::move(operation), count, {}, {}, {}};
  for (const SampleShape& in : InputShapes(inputs.operation)) {
    inputs.x.push_back(RandomValues(random, count * ElementCount(in), levels));
  }
  if (const auto* embedding = std::get_if<EmbeddingOperation>(&inputs.operation)) {
    for (float& id : inputs.x[0]) id = static_cast<float>(random.Below(embedding->vocabulary));
  }
  inputs.weights = RandomValues(random, ParameterCount(inputs.operation));
  if (const auto* norm = std::get_if<BatchNormOperation>(&inputs.operation)) {
    // A variance is never below zero.
    for (int64_t c = 0; c < norm->shape[0]; ++c) {
      float& variance = inputs.weights[3 * norm->shape[0] + c];
      variance = std::fabs(variance) + 0.1f;
    }
  }
  inputs.dy = RandomValues(random, count * ElementCount(OutputShape(inputs.operation)));
  return inputs;
}

namespace {

// Rows as the dense gradient that they stand for; nothing where they make no sense.
void Spread(const RowGradient& rows, const EmbeddingOperation& embedding,
            std::vector<float>* gradient) {
  const auto width = static_cast<size_t>(embedding.width);
  const bool rising = std::adjacent_find(rows.ids.begin(), rows.ids.end(),
                                         std::greater_equal<>()) == rows.ids.end();
  if (!rising || rows.values.size() != rows.ids.size() * width) return;
  std::fill(gradient->begin(), gradient->end(), 0.0f);
  for (size_t i = 0; i < rows.ids.size(); ++i) {
    std::copy_n(&rows.values[i * width], width,
                &(*gradient)[static_cast<size_t>(rows.ids[i]) * width]);
  }
}

}  // namespace

absl::StatusOr<Results> Compute(Backend& backend, const Inputs& inputs) {
  BATON_ASSIGN_OR_RETURN(const std::unique_ptr<Stream> made, backend.CreateStream(Memory::kHost));
  Stream& stream = *made;
  const int64_t count = inputs.count;
  BATON_ASSIGN_OR_RETURN(const auto operation, stream.CreateOperation(inputs.operation, count));
  std::vector<std::unique_ptr<Tensor>> tensors;
  std::vector<const Tensor*> x;
  std::vector<Tensor*> dx;
  const bool has_dx = !std::holds_alternative<EmbeddingOperation>(inputs.operation);
  for (size_t i = 0; i < inputs.x.size(); ++i) {
    const SampleShape shape = InputShapes(inputs.operation)[i];
    tensors.push_back(stream.CreateTensor(shape, count));
    BATON_RETURN_IF_ERROR(stream.Upload(inputs.x[i].data(), count, tensors.back().get()));
    x.push_back(tensors.back().get());
    tensors.push_back(stream.CreateTensor(shape, count));
    dx.push_back(has_dx ? tensors.back().get() : nullptr);
  }
  const SampleShape out = OutputShape(inputs.operation);
  const auto y = stream.CreateTensor(out, count), dy = stream.CreateTensor(out, count);
  Results results;
  results.y.resize(inputs.dy.size());
  results.weights_gradient.assign(inputs.weights.size(), NAN);

  const ForwardArguments forward{.count = count,
                                 .pass = Pass::kTrain,
                                 .weights = inputs.weights.data(),
                                 .stream = RandomStream::Make(5, RandomPurpose::kTrain),
                                 .x = x,
                                 .y = y.get()};
  BATON_RETURN_IF_ERROR(operation->Prepare(forward));
  BATON_RETURN_IF_ERROR(operation->Forward(forward));
  BATON_RETURN_IF_ERROR(stream.Upload(inputs.dy.data(), count, dy.get()));
  const auto* embedding = std::get_if<EmbeddingOperation>(&inputs.operation);
  const bool sparse = embedding != nullptr && embedding->sparse;
  RowGradient rows;
  BATON_RETURN_IF_ERROR(
      operation->Backward({.count = count,
                           .weights = inputs.weights.data(),
                           .x = x,
                           .y = y.get(),
                           .dy = dy.get(),
                           .dx = dx,
                           .weights_gradient = sparse ? nullptr : results.weights_gradient.data(),
                           .rows = sparse ? &rows : nullptr,
                           .statistics_scale = 0.125f}));
  if (sparse) Spread(rows, *embedding, &results.weights_gradient);
  BATON_RETURN_IF_ERROR(stream.Download(*y, count, results.y.data()));
  for (size_t i = 0; i < dx.size() && has_dx; ++i) {
    results.dx.emplace_back(inputs.x[i].size());
    BATON_RETURN_IF_ERROR(stream.Download(*dx[i], count, results.dx.back().data()));
  }
  return results;
}

size_t SilenceKinks(const Results& a, const Results& b, Inputs* inputs) {
  size_t kinks = 0;
  for (size_t i = 0; i < a.y.size(); ++i) {
    if ((a.y[i] > 0) == (b.y[i] > 0)) continue;
    inputs->dy[i] = 0;
    ++kinks;
  }
  return kinks;
}

double Tolerance(const std::vector<float>& want, double terms) {
  double scale = 1;
  for (float value : want) scale = std::max(scale, std::fabs(double{value}));
  return 1e-6 * scale * std::sqrt(terms + 4);
}

Sums SumsOf(const Inputs& inputs) {
  const auto in = static_cast<double>(ElementCount(InputShapes(inputs.operation)[0]));
  const auto out = static_cast<double>(ElementCount(OutputShape(inputs.operation)));
  // What is rounded to bfloat16 on the way may go to either neighbour where it lies between the
  // two, 2^16 roundings of a float32 apart; few values do.
  const auto* attention = std::get_if<AttentionOperation>(&inputs.operation);
  const double coarse = attention != nullptr && attention->bfloat16 ? 0x1p28 : 1;
  return {coarse * in, coarse * (in + out), coarse * static_cast<double>(inputs.count) * out};
}

}  // namespace baton::trainer
