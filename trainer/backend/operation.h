// What a backend can compute: one plain value per operation, with its shapes. A new operation is
// one more struct here and in the variant, and one file in each backend.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

namespace baton::trainer {

// Extents of one sample: {channels, height, width} or {width}. The batch comes on top, outermost.
using SampleShape = std::vector<int64_t>;

// Whether an operation clips its output at zero: y = max(f(x), 0). Part of the operation, so that a
// backend can do it while the value is still in a register.
enum class Activation { kNone, kRelu };

// y[n,o,i,j] = b[o] + sum over c,p,q of w[o,c,p,q] * x[n, c, i*stride+p-padding,
// j*stride+q-padding] (0 outside of x).
struct ConvOperation {
  SampleShape in;   // (C, H, W)
  SampleShape out;  // (O, H', W')
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t padding = 0;
  Activation activation = Activation::kNone;
};  // weight (O, C, kernel, kernel), bias (O)

// y[n,c,i,j] = max of x over the window; the gradient goes to the first largest in row order.
struct MaxPoolOperation {
  SampleShape in;   // (C, H, W)
  SampleShape out;  // (C, H', W')
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t padding = 0;
  Activation activation = Activation::kNone;
};

struct ReluOperation {
  SampleShape shape;
};

// y[n,o] = b[o] + sum over i of w[o,i] * x[n,i]; x is read as a flat row, whatever its rank.
struct DenseOperation {
  SampleShape in;
  SampleShape out;  // (O)
  Activation activation = Activation::kNone;
};  // weight (O, I), bias (O)

// In training y[i] = keep(i) ? x[i] / (1 - rate) : 0, and y = x in evaluation. keep(i) is
// RandomStream::ToUnit(Bits(i)) >= rate, i the row-major index over the whole micro-batch.
struct DropoutOperation {
  SampleShape shape;
  float rate = 0;
};

using OperationShape =
    std::variant<ConvOperation, MaxPoolOperation, ReluOperation, DenseOperation, DropoutOperation>;

SampleShape InputShape(const OperationShape& operation);
SampleShape OutputShape(const OperationShape& operation);

// Floats in the weight and in the bias; 0 for operations without parameters. The bias follows its
// weight without a gap.
int64_t WeightCount(const OperationShape& operation);
int64_t BiasCount(const OperationShape& operation);

int64_t ElementCount(const SampleShape& shape);

}  // namespace baton::trainer
