#include "trainer/backend/cuda/block.cuh"
#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/launch.h"

namespace baton::trainer::cuda::kernels {
namespace {

constexpr int kRowThreads = 128;

// Where value i of the split order lies in the joint one.
__device__ int64_t JointPlace(const Heads& shape, int64_t i) {
  const int64_t d = i % shape.depth;
  i /= shape.depth;
  const int64_t t = i % shape.positions;
  i /= shape.positions;
  const int64_t h = i % shape.heads;
  i /= shape.heads;
  const int64_t n = i % shape.samples, part = i / shape.samples;
  return (((n * shape.positions + t) * shape.parts + part) * shape.heads + h) * shape.depth + d;
}

int64_t ValueCount(const Heads& shape) {
  return shape.samples * shape.positions * shape.parts * shape.heads * shape.depth;
}

__global__ void SplitKernel(Heads shape, int64_t count, const float* joint, float* split) {
  BATON_FOR_EACH(i, count) split[i] = joint[JointPlace(shape, i)];
}

__global__ void JoinKernel(Heads shape, int64_t count, const float* split, float* joint) {
  BATON_FOR_EACH(i, count) joint[JointPlace(shape, i)] = split[i];
}

// One block per row.
__global__ void SoftmaxKernel(float* scores, int64_t rows, int64_t positions, bool causal) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    float* values = scores + row * positions;
    const int64_t seen = causal ? row % positions + 1 : positions;
    Best best{0, -1};
    for (int64_t u = threadIdx.x; u < seen; u += kRowThreads) {
      best = Better(best, Best{values[u], u});
    }
    const float largest = BlockBest<kRowThreads>(best).value;
    double sum = 0;
    for (int64_t u = threadIdx.x; u < seen; u += kRowThreads) {
      values[u] = expf(values[u] - largest);
      sum += static_cast<double>(values[u]);
    }
    const auto share = static_cast<float>(1 / BlockSum<kRowThreads>(sum));
    for (int64_t u = threadIdx.x; u < positions; u += kRowThreads) {
      values[u] = u < seen ? values[u] * share : 0;
    }
  }
}

__global__ void SoftmaxGradientKernel(const float* shares, int64_t rows, int64_t positions,
                                      float scale, float* dshares) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float* share = shares + row * positions;
    float* values = dshares + row * positions;
    double sum = 0;
    for (int64_t u = threadIdx.x; u < positions; u += kRowThreads) {
      sum += static_cast<double>(share[u]) * static_cast<double>(values[u]);
    }
    const auto mean = static_cast<float>(BlockSum<kRowThreads>(sum));
    for (int64_t u = threadIdx.x; u < positions; u += kRowThreads) {
      // What is not seen has no share, so its gradient is zero.
      values[u] = scale * share[u] * (values[u] - mean);
    }
  }
}

}  // namespace

void SplitHeads(const Heads& shape, const float* joint, float* split, cudaStream_t stream) {
  const int64_t count = ValueCount(shape);
  Launch(SplitKernel, Blocks(count), kThreads, stream, shape, count, joint, split);
}

void JoinHeads(const Heads& shape, const float* split, float* joint, cudaStream_t stream) {
  const int64_t count = ValueCount(shape);
  Launch(JoinKernel, Blocks(count), kThreads, stream, shape, count, split, joint);
}

void Softmax(float* scores, int64_t rows, int64_t positions, bool causal, cudaStream_t stream) {
  Launch(SoftmaxKernel, Blocks(rows, 1), kRowThreads, stream, scores, rows, positions, causal);
}

void SoftmaxGradient(const float* shares, int64_t rows, int64_t positions, float scale,
                     float* dshares, cudaStream_t stream) {
  Launch(SoftmaxGradientKernel, Blocks(rows, 1), kRowThreads, stream, shares, rows, positions,
         scale, dshares);
}

}  // namespace baton::trainer::cuda::kernels
