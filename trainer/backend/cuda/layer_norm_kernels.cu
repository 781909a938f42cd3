#include "trainer/backend/cuda/block.cuh"
#include "trainer/backend/cuda/columns.cuh"
#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/launch.h"

namespace baton::trainer::cuda::kernels {
namespace {

constexpr int kRowThreads = 128;

// One block per row.
__global__ void LayerNormKernel(const float* x, const float* weights, int64_t rows, int64_t width,
                                float epsilon, float* moments, float* y) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float* from = x + row * width;
    double sum = 0, squares = 0;
    for (int64_t c = threadIdx.x; c < width; c += kRowThreads) sum += static_cast<double>(from[c]);
    const double mean = BlockSum<kRowThreads>(sum) / static_cast<double>(width);
    for (int64_t c = threadIdx.x; c < width; c += kRowThreads) {
      const double away = static_cast<double>(from[c]) - mean;
      squares += away * away;
    }
    const double variance = BlockSum<kRowThreads>(squares) / static_cast<double>(width);
    const double factor = 1 / sqrt(variance + static_cast<double>(epsilon));
    if (threadIdx.x == 0) {
      moments[2 * row] = static_cast<float>(mean);
      moments[2 * row + 1] = static_cast<float>(factor);
    }
    for (int64_t c = threadIdx.x; c < width; c += kRowThreads) {
      const auto normal = static_cast<float>((static_cast<double>(from[c]) - mean) * factor);
      y[row * width + c] = normal * weights[c] + weights[width + c];
    }
  }
}

__global__ void LayerNormInputKernel(const float* x, const float* weights, const float* moments,
                                     const float* dy, int64_t rows, int64_t width, float* dx) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float mean = moments[2 * row], factor = moments[2 * row + 1];
    double sum = 0, slopes = 0;  // of d loss / d normal, and of it times normal
    for (int64_t c = threadIdx.x; c < width; c += kRowThreads) {
      const float own = dy[row * width + c] * weights[c];
      sum += static_cast<double>(own);
      slopes +=
          static_cast<double>(own) * static_cast<double>((x[row * width + c] - mean) * factor);
    }
    const double values = static_cast<double>(width);
    const auto level = static_cast<float>(BlockSum<kRowThreads>(sum) / values);
    const auto slope = static_cast<float>(BlockSum<kRowThreads>(slopes) / values);
    for (int64_t c = threadIdx.x; c < width; c += kRowThreads) {
      const float normal = (x[row * width + c] - mean) * factor;
      const float own = dy[row * width + c] * weights[c];
      dx[row * width + c] = factor * (own - level - normal * slope);
    }
  }
}

__global__ void LayerNormWeightsKernel(const float* x, const float* moments, const float* dy,
                                       int64_t rows, int64_t width, float* gradient) {
  SumColumns(
      rows, width,
      [&](int64_t row, int64_t c) {
        const float normal = (x[row * width + c] - moments[2 * row]) * moments[2 * row + 1];
        return dy[row * width + c] * normal;
      },
      [&](int64_t c, double sum) { gradient[c] = static_cast<float>(sum); });
}

}  // namespace

void LayerNorm(const float* x, const float* weights, int64_t rows, int64_t width, float epsilon,
               float* moments, float* y, cudaStream_t stream) {
  Launch(LayerNormKernel, Blocks(rows, 1), kRowThreads, stream, x, weights, rows, width, epsilon,
         moments, y);
}

void LayerNormInput(const float* x, const float* weights, const float* moments, const float* dy,
                    int64_t rows, int64_t width, float* dx, cudaStream_t stream) {
  Launch(LayerNormInputKernel, Blocks(rows, 1), kRowThreads, stream, x, weights, moments, dy, rows,
         width, dx);
}

void LayerNormWeights(const float* x, const float* moments, const float* dy, int64_t rows,
                      int64_t width, float* gradient, cudaStream_t stream) {
  const dim3 block(kColumns, kLanes);
  const auto blocks = static_cast<unsigned>((width + kColumns - 1) / kColumns);
  Launch(LayerNormWeightsKernel, blocks, block, stream, x, moments, dy, rows, width, gradient);
  SumRows(dy, rows, width, gradient + width, stream);
}

}  // namespace baton::trainer::cuda::kernels
