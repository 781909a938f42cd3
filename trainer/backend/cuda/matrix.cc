#include "trainer/backend/cuda/matrix.h"

#include "trainer/backend/cuda/kernels.h"

namespace baton::trainer::cuda {

namespace {

// cuBLAS counts by columns: it takes a row-major matrix for its transpose. So what is computed is
// c^T = b^T a^T, of which the operands and the result lie as cuBLAS wants them.
struct Call {
  explicit Call(const Batched& shape)
      : m(static_cast<int>(shape.m)),
        n(static_cast<int>(shape.n)),
        k(static_cast<int>(shape.k)),
        count(static_cast<int>(shape.count)),
        b_way(shape.b_flipped ? CUBLAS_OP_T : CUBLAS_OP_N),
        a_way(shape.a_flipped ? CUBLAS_OP_T : CUBLAS_OP_N),
        b_lead(shape.b_flipped ? k : n),
        a_lead(shape.a_flipped ? m : k) {}
  int m, n, k, count;
  cublasOperation_t b_way, a_way;
  int b_lead, a_lead;
};

// Sums of products of bfloat16s in float32, and none of them in less.
void MultiplyBfloat16(Context& context, const Batched& shape, const float* a, const float* b,
                      float* c) {
  const int64_t a_count = shape.count * shape.m * shape.k,
                b_count = shape.count * shape.k * shape.n;
  uint16_t* a_halves = context.Halves(0, a_count);
  uint16_t* b_halves = context.Halves(1, b_count);
  if (!context.ok()) return;
  kernels::TakeBfloat16s(a, a_count, a_halves, context.stream());
  kernels::TakeBfloat16s(b, b_count, b_halves, context.stream());
  const Call call(shape);
  context.Check(cublasSetMathMode(
      context.blas(), static_cast<cublasMath_t>(CUBLAS_DEFAULT_MATH |
                                                CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)));
  context.Check(cublasGemmStridedBatchedEx(
      context.blas(), call.b_way, call.a_way, call.n, call.m, call.k, &shape.scale, b_halves,
      CUDA_R_16BF, call.b_lead, shape.k * shape.n, a_halves, CUDA_R_16BF, call.a_lead,
      shape.m * shape.k, &kZero, c, CUDA_R_32F, call.n, shape.m * shape.n, call.count,
      CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  context.Check(cublasSetMathMode(context.blas(), Float32Math(context.fast())));
}

}  // namespace

void MultiplyBatched(Context& context, const Batched& shape, const float* a, const float* b,
                     float* c) {
  if (!context.ok()) return;
  if (shape.bfloat16) return MultiplyBfloat16(context, shape, a, b, c);
  const Call call(shape);
  if (shape.count == 1) {
    context.Check(cublasSgemm(context.blas(), call.b_way, call.a_way, call.n, call.m, call.k,
                              &shape.scale, b, call.b_lead, a, call.a_lead, &kZero, c, call.n));
    return;
  }
  context.Check(cublasSgemmStridedBatched(context.blas(), call.b_way, call.a_way, call.n, call.m,
                                          call.k, &shape.scale, b, call.b_lead, shape.k * shape.n,
                                          a, call.a_lead, shape.m * shape.k, &kZero, c, call.n,
                                          shape.m * shape.n, call.count));
}

void MultiplyRows(Context& context, const Rows& shape, const float* x, const float* w, float* y) {
  MultiplyBatched(context, {1, shape.rows, shape.out, shape.in, false, true, 1, shape.bfloat16}, x,
                  w, y);
}

void MultiplyRowsInput(Context& context, const Rows& shape, const float* dy, const float* w,
                       float* dx) {
  MultiplyBatched(context, {1, shape.rows, shape.in, shape.out, false, false, 1, shape.bfloat16},
                  dy, w, dx);
}

void MultiplyRowsWeights(Context& context, const Rows& shape, const float* dy, const float* x,
                         float* dw) {
  MultiplyBatched(context, {1, shape.out, shape.in, shape.rows, true, false, 1, shape.bfloat16}, dy,
                  x, dw);
}

}  // namespace baton::trainer::cuda
