#include "trainer/backend/cuda/block.cuh"
#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/launch.h"

namespace baton::trainer::cuda::kernels {
namespace {

struct Running {
  float mean, factor;  // factor: 1 / deviation
};

__device__ Running RunningOf(const Channels& shape, const float* weights, int64_t c) {
  const float variance = weights[3 * shape.channels + c];
  return {weights[2 * shape.channels + c],
          static_cast<float>(
              1 / sqrt(static_cast<double>(variance) + static_cast<double>(shape.epsilon)))};
}

__global__ void NormalizeKernel(Channels shape, const float* x, const float* weights, float* y) {
  BATON_FOR_EACH(i, shape.count * shape.channels * shape.area) {
    const int64_t c = i / shape.area % shape.channels;
    const Running running = RunningOf(shape, weights, c);
    y[i] = (x[i] - running.mean) * running.factor * weights[c] + weights[shape.channels + c];
  }
}

__global__ void NormalizeInputKernel(Channels shape, const float* weights, const float* dy,
                                     float* dx) {
  BATON_FOR_EACH(i, shape.count * shape.channels * shape.area) {
    const int64_t c = i / shape.area % shape.channels;
    dx[i] = dy[i] * weights[c] * RunningOf(shape, weights, c).factor;
  }
}

// One block per channel.
__global__ void NormalizeWeightsKernel(Channels shape, const float* x, const float* weights,
                                       const float* dy, float* gradient) {
  for (int64_t c = blockIdx.x; c < shape.channels; c += gridDim.x) {
    const Running running = RunningOf(shape, weights, c);
    double dw = 0, db = 0;
    for (int64_t k = threadIdx.x; k < shape.count * shape.area; k += kThreads) {
      const int64_t n = k / shape.area, cell = k % shape.area;
      const int64_t i = (n * shape.channels + c) * shape.area + cell;
      dw += static_cast<double>(dy[i] * ((x[i] - running.mean) * running.factor));
      db += static_cast<double>(dy[i]);
    }
    dw = BlockSum<kThreads>(dw);
    db = BlockSum<kThreads>(db);
    if (threadIdx.x == 0) {
      gradient[c] = static_cast<float>(dw);
      gradient[shape.channels + c] = static_cast<float>(db);
      gradient[2 * shape.channels + c] = 0;
      gradient[3 * shape.channels + c] = 0;
    }
  }
}

__global__ void StoreStatisticsKernel(const float* mean, const float* variance, bool one_value,
                                      float share, int64_t channels, float* gradient) {
  BATON_FOR_EACH(c, channels) {
    gradient[2 * channels + c] = share * mean[c];
    gradient[3 * channels + c] = one_value ? 0 : share * variance[c];
  }
}

}  // namespace

void NormalizeByRunning(const Channels& shape, const float* x, const float* weights, float* y,
                        cudaStream_t stream) {
  const int64_t values = shape.count * shape.channels * shape.area;
  Launch(NormalizeKernel, Blocks(values), kThreads, stream, shape, x, weights, y);
}

void NormalizeByRunningGradient(const Channels& shape, const float* x, const float* weights,
                                const float* dy, float* dx, float* gradient, cudaStream_t stream) {
  const int64_t values = shape.count * shape.channels * shape.area;
  if (dx != nullptr) {
    Launch(NormalizeInputKernel, Blocks(values), kThreads, stream, shape, weights, dy, dx);
  }
  Launch(NormalizeWeightsKernel, Blocks(shape.channels, 1), kThreads, stream, shape, x, weights, dy,
         gradient);
}

void StoreStatistics(const float* mean, const float* variance, bool one_value, float share,
                     int64_t channels, float* gradient, cudaStream_t stream) {
  Launch(StoreStatisticsKernel, Blocks(channels), kThreads, stream, mean, variance, one_value,
         share, channels, gradient);
}

}  // namespace baton::trainer::cuda::kernels
