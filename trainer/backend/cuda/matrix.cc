#include "trainer/backend/cuda/matrix.h"

namespace baton::trainer::cuda {

// cuBLAS counts by columns: it takes a row-major matrix for its transpose. So what is computed is
// c^T = b^T a^T, of which the operands and the result lie as cuBLAS wants them.
void MultiplyBatched(Context& context, const Batched& shape, const float* a, const float* b,
                     float* c) {
  if (!context.ok()) return;
  const auto m = static_cast<int>(shape.m), n = static_cast<int>(shape.n);
  const auto k = static_cast<int>(shape.k);
  const cublasOperation_t b_way = shape.b_flipped ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t a_way = shape.a_flipped ? CUBLAS_OP_T : CUBLAS_OP_N;
  const int b_lead = shape.b_flipped ? k : n, a_lead = shape.a_flipped ? m : k;
  if (shape.count == 1) {
    context.Check(cublasSgemm(context.blas(), b_way, a_way, n, m, k, &shape.scale, b, b_lead, a,
                              a_lead, &kZero, c, n));
    return;
  }
  context.Check(cublasSgemmStridedBatched(
      context.blas(), b_way, a_way, n, m, k, &shape.scale, b, b_lead, shape.k * shape.n, a, a_lead,
      shape.m * shape.k, &kZero, c, n, shape.m * shape.n, static_cast<int>(shape.count)));
}

void MultiplyRows(Context& context, const Rows& shape, const float* x, const float* w, float* y) {
  MultiplyBatched(context, {1, shape.rows, shape.out, shape.in, false, true, 1}, x, w, y);
}

void MultiplyRowsInput(Context& context, const Rows& shape, const float* dy, const float* w,
                       float* dx) {
  MultiplyBatched(context, {1, shape.rows, shape.in, shape.out, false, false, 1}, dy, w, dx);
}

void MultiplyRowsWeights(Context& context, const Rows& shape, const float* dy, const float* x,
                         float* dw) {
  MultiplyBatched(context, {1, shape.out, shape.in, shape.rows, true, false, 1}, dy, x, dw);
}

}  // namespace baton::trainer::cuda
