// Own and not cuDNN's: that leaves open which of equal cells gets the gradient.
#include "trainer/backend/cuda/block.cuh"
#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/launch.h"

namespace baton::trainer::cuda::kernels {
namespace {

// MaxPoolOperation without its vectors.
struct Windows {
  int64_t planes;  // samples times channels
  int64_t in_height, in_width, out_height, out_width;
  Extent kernel, stride, padding;
};

Windows WindowsOf(const MaxPoolOperation& shape, int64_t count) {
  return {count * shape.in[0], shape.in[1],  shape.in[2],  shape.out[1],
          shape.out[2],        shape.kernel, shape.stride, shape.padding};
}

__global__ void MaxPoolKernel(Windows shape, const float* x, int32_t* places, float* y) {
  BATON_FOR_EACH(at, shape.planes * shape.out_height * shape.out_width) {
    const int64_t plane = at / (shape.out_height * shape.out_width);
    const int64_t i = at / shape.out_width % shape.out_height, j = at % shape.out_width;
    const float* from = x + plane * shape.in_height * shape.in_width;
    int64_t best = -1;
    for (int64_t p = 0; p < shape.kernel.height; ++p) {
      const int64_t row = i * shape.stride.height - shape.padding.height + p;
      if (row < 0 || row >= shape.in_height) continue;
      for (int64_t q = 0; q < shape.kernel.width; ++q) {
        const int64_t column = j * shape.stride.width - shape.padding.width + q;
        if (column < 0 || column >= shape.in_width) continue;
        const int64_t place = row * shape.in_width + column;
        if (best < 0 || from[place] > from[best]) best = place;
      }
    }
    places[at] = static_cast<int32_t>(best);
    y[at] = from[best];
  }
}

// The first window whose cells reach `place`, and the one behind the last.
__device__ int64_t FirstWindow(int64_t place, int64_t kernel, int64_t stride, int64_t padding) {
  const int64_t before = place + padding - kernel + 1;
  return before <= 0 ? 0 : (before + stride - 1) / stride;
}
__device__ int64_t EndWindow(int64_t place, int64_t stride, int64_t padding, int64_t windows) {
  const int64_t end = (place + padding) / stride + 1;
  return end < windows ? end : windows;
}

// Each cell asks the windows around it, in row order.
__global__ void MaxPoolGradientKernel(Windows shape, const int32_t* places, const float* dy,
                                      float* dx) {
  BATON_FOR_EACH(at, shape.planes * shape.in_height * shape.in_width) {
    const int64_t plane = at / (shape.in_height * shape.in_width);
    const int64_t row = at / shape.in_width % shape.in_height, column = at % shape.in_width;
    const auto place = static_cast<int32_t>(row * shape.in_width + column);
    const int64_t first_i =
        FirstWindow(row, shape.kernel.height, shape.stride.height, shape.padding.height);
    const int64_t end_i =
        EndWindow(row, shape.stride.height, shape.padding.height, shape.out_height);
    const int64_t first_j =
        FirstWindow(column, shape.kernel.width, shape.stride.width, shape.padding.width);
    const int64_t end_j =
        EndWindow(column, shape.stride.width, shape.padding.width, shape.out_width);
    float sum = 0;
    for (int64_t i = first_i; i < end_i; ++i) {
      for (int64_t j = first_j; j < end_j; ++j) {
        const int64_t window = (plane * shape.out_height + i) * shape.out_width + j;
        if (places[window] == place) sum += dy[window];
      }
    }
    dx[at] = sum;
  }
}

}  // namespace

void MaxPool(const MaxPoolOperation& shape, const float* x, int64_t count, int32_t* places,
             float* y, cudaStream_t stream) {
  const Windows windows = WindowsOf(shape, count);
  const int64_t outputs = windows.planes * windows.out_height * windows.out_width;
  Launch(MaxPoolKernel, Blocks(outputs), kThreads, stream, windows, x, places, y);
}

void MaxPoolGradient(const MaxPoolOperation& shape, const int32_t* places, const float* dy,
                     int64_t count, float* dx, cudaStream_t stream) {
  const Windows windows = WindowsOf(shape, count);
  const int64_t inputs = windows.planes * windows.in_height * windows.in_width;
  Launch(MaxPoolGradientKernel, Blocks(inputs), kThreads, stream, windows, places, dy, dx);
}

}  // namespace baton::trainer::cuda::kernels
