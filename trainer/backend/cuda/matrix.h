// Matrix products of row-major matrices.
#pragma once

#include <cstdint>

#include "trainer/backend/cuda/context.h"

namespace baton::trainer::cuda {

// What all rows of a layer with weights (out, in) have in common. Calls between Begin and End.
struct Rows {
  int64_t rows, in, out;
  bool bfloat16 = false;  // DenseOperation::bfloat16
};
// y[r,o] = sum over i of w[o,i] x[r,i]
void MultiplyRows(Context& context, const Rows& shape, const float* x, const float* w, float* y);
// dx[r,i] = sum over o of w[o,i] dy[r,o]
void MultiplyRowsInput(Context& context, const Rows& shape, const float* dy, const float* w,
                       float* dx);
// dw[o,i] = sum over r of dy[r,o] x[r,i]
void MultiplyRowsWeights(Context& context, const Rows& shape, const float* dy, const float* x,
                         float* dw);

// Of `count` matrices one behind the other: c (m, n) = scale * a b, where a (m, k) lies as its
// transpose (k, m) with a_flipped, and b (k, n) as (n, k) with b_flipped.
struct Batched {
  int64_t count, m, n, k;
  bool a_flipped, b_flipped;
  float scale;
  bool bfloat16 = false;
};
void MultiplyBatched(Context& context, const Batched& shape, const float* a, const float* b,
                     float* c);

}  // namespace baton::trainer::cuda
