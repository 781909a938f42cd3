#include "trainer/backend/cuda/block.cuh"
#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/launch.h"

namespace baton::trainer::cuda::kernels {
namespace {

constexpr int kRowThreads = 64;
constexpr double kLengthMin = 1e-8;

struct Products {
  double ab, a_length, b_length;  // lengths: 1 without `cosine`
};

__device__ double LengthOf(double square) {
  const double length = sqrt(square);
  return length > kLengthMin ? length : kLengthMin;
}

// Of output `row`, by all threads of a block.
__device__ Products ProductsOf(const Dots& shape, const float* a, const float* b, int64_t row) {
  const float* left = a + (shape.one_row ? row / shape.rows : row) * shape.width;
  const float* right = b + row * shape.width;
  double ab = 0, aa = 0, bb = 0;
  for (int64_t d = threadIdx.x; d < shape.width; d += kRowThreads) {
    const auto l = static_cast<double>(left[d]), r = static_cast<double>(right[d]);
    ab += l * r;
    aa += l * l;
    bb += r * r;
  }
  ab = BlockSum<kRowThreads>(ab);
  if (!shape.cosine) return {ab, 1, 1};
  aa = BlockSum<kRowThreads>(aa);
  bb = BlockSum<kRowThreads>(bb);
  return {ab, LengthOf(aa), LengthOf(bb)};
}

__global__ void DotKernel(Dots shape, const float* a, const float* b, float* y) {
  for (int64_t row = blockIdx.x; row < shape.count * shape.rows; row += gridDim.x) {
    const Products p = ProductsOf(shape, a, b, row);
    if (threadIdx.x == 0) y[row] = static_cast<float>(p.ab / (p.a_length * p.b_length));
  }
}

// da = f[0] b - f[1] a, db = f[0] a - f[2] b. Too short a vector's length is held, and does not
// move with it.
__global__ void FactorsKernel(Dots shape, const float* a, const float* b, const float* dy,
                              float* factors) {
  for (int64_t row = blockIdx.x; row < shape.count * shape.rows; row += gridDim.x) {
    const Products p = ProductsOf(shape, a, b, row);
    if (threadIdx.x > 0) continue;
    const double slope = static_cast<double>(dy[row]) / (p.a_length * p.b_length);
    const bool a_moves = shape.cosine && p.a_length > kLengthMin;
    const bool b_moves = shape.cosine && p.b_length > kLengthMin;
    float* f = factors + 3 * row;
    f[0] = static_cast<float>(slope);
    f[1] = a_moves ? static_cast<float>(slope * p.ab / (p.a_length * p.a_length)) : 0;
    f[2] = b_moves ? static_cast<float>(slope * p.ab / (p.b_length * p.b_length)) : 0;
  }
}

__global__ void RightKernel(Dots shape, const float* a, const float* b, const float* factors,
                            float* db) {
  BATON_FOR_EACH(i, shape.count * shape.rows * shape.width) {
    const int64_t row = i / shape.width, d = i % shape.width;
    const int64_t left = shape.one_row ? row / shape.rows : row;
    db[i] = factors[3 * row] * a[left * shape.width + d] - factors[3 * row + 2] * b[i];
  }
}

// One row of a that meets several of b takes the sum of their gradients.
__global__ void LeftKernel(Dots shape, const float* a, const float* b, const float* factors,
                           float* da) {
  const int64_t rows = shape.one_row ? shape.count : shape.count * shape.rows;
  const int64_t met = shape.one_row ? shape.rows : 1;
  BATON_FOR_EACH(i, rows * shape.width) {
    const int64_t first = i / shape.width * met, d = i % shape.width;
    double sum = 0;
    for (int64_t row = first; row < first + met; ++row) {
      sum += static_cast<double>(factors[3 * row] * b[row * shape.width + d] -
                                 factors[3 * row + 1] * a[i]);
    }
    da[i] = static_cast<float>(sum);
  }
}

}  // namespace

void Dot(const Dots& shape, const float* a, const float* b, float* y, cudaStream_t stream) {
  Launch(DotKernel, Blocks(shape.count * shape.rows, 1), kRowThreads, stream, shape, a, b, y);
}

void DotGradient(const Dots& shape, const float* a, const float* b, const float* dy, float* factors,
                 float* da, float* db, cudaStream_t stream) {
  const int64_t rows = shape.count * shape.rows;
  Launch(FactorsKernel, Blocks(rows, 1), kRowThreads, stream, shape, a, b, dy, factors);
  if (da != nullptr) {
    Launch(LeftKernel, Blocks(rows * shape.width), kThreads, stream, shape, a, b, factors, da);
  }
  if (db != nullptr) {
    Launch(RightKernel, Blocks(rows * shape.width), kThreads, stream, shape, a, b, factors, db);
  }
}

}  // namespace baton::trainer::cuda::kernels
