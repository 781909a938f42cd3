#include "trainer/backend/cuda/block.cuh"
#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/launch.h"

namespace baton::trainer::cuda::kernels {
namespace {

struct Sequences {
  int64_t count, positions, width;
  bool largest;
};

Sequences SequencesOf(const SequencePoolOperation& shape, int64_t count) {
  return {count, shape.in[0], shape.in[1], shape.largest};
}

__device__ int64_t FirstLargest(const Sequences& shape, const float* x) {
  int64_t best = 0;
  for (int64_t t = 1; t < shape.positions; ++t) {
    if (x[t * shape.width] > x[best * shape.width]) best = t;
  }
  return best;
}

// One thread per channel of a sample.
__global__ void PoolKernel(Sequences shape, const float* x, float* y) {
  BATON_FOR_EACH(i, shape.count * shape.width) {
    const float* from = x + i / shape.width * shape.positions * shape.width + i % shape.width;
    if (shape.largest) {
      y[i] = from[FirstLargest(shape, from) * shape.width];
      continue;
    }
    double sum = 0;
    for (int64_t t = 0; t < shape.positions; ++t) sum += static_cast<double>(from[t * shape.width]);
    y[i] = static_cast<float>(sum / static_cast<double>(shape.positions));
  }
}

__global__ void PoolGradientKernel(Sequences shape, const float* x, const float* dy, float* dx) {
  BATON_FOR_EACH(i, shape.count * shape.width) {
    const int64_t begin = i / shape.width * shape.positions * shape.width + i % shape.width;
    const int64_t best = shape.largest ? FirstLargest(shape, x + begin) : -1;
    const float share = dy[i] / static_cast<float>(shape.positions);
    for (int64_t t = 0; t < shape.positions; ++t) {
      dx[begin + t * shape.width] = best < 0 ? share : t == best ? dy[i] : 0;
    }
  }
}

}  // namespace

void SequencePool(const SequencePoolOperation& shape, const float* x, int64_t count, float* y,
                  cudaStream_t stream) {
  const Sequences sequences = SequencesOf(shape, count);
  Launch(PoolKernel, Blocks(count * sequences.width), kThreads, stream, sequences, x, y);
}

void SequencePoolGradient(const SequencePoolOperation& shape, const float* x, const float* dy,
                          int64_t count, float* dx, cudaStream_t stream) {
  const Sequences sequences = SequencesOf(shape, count);
  Launch(PoolGradientKernel, Blocks(count * sequences.width), kThreads, stream, sequences, x, dy,
         dx);
}

}  // namespace baton::trainer::cuda::kernels
