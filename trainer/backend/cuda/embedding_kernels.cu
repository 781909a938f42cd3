#include "trainer/backend/cuda/block.cuh"
#include "trainer/backend/cuda/kernels.h"
#include "trainer/backend/cuda/launch.h"

namespace baton::trainer::cuda::kernels {
namespace {

__global__ void GatherKernel(const float* weights, const int32_t* ids, int64_t count, int64_t width,
                             float* y) {
  BATON_FOR_EACH(i, count * width) {
    y[i] = weights[static_cast<int64_t>(ids[i / width]) * width + i % width];
  }
}

// One thread per value of a row; it adds in the order of the positions.
__global__ void SumGroupsKernel(const float* dy, const int32_t* ids, const int32_t* firsts,
                                const int32_t* order, const int32_t* groups, int64_t width,
                                float* gradient) {
  BATON_FOR_EACH(i, *groups * width) {
    const int64_t group = i / width, c = i % width;
    double sum = 0;
    for (int32_t k = firsts[group]; k < firsts[group + 1]; ++k) {
      sum += static_cast<double>(dy[static_cast<int64_t>(order[k]) * width + c]);
    }
    gradient[static_cast<int64_t>(ids[group]) * width + c] = static_cast<float>(sum);
  }
}

}  // namespace

void Gather(const float* weights, const int32_t* ids, int64_t ids_count, int64_t width, float* y,
            cudaStream_t stream) {
  Launch(GatherKernel, Blocks(ids_count * width), kThreads, stream, weights, ids, ids_count, width,
         y);
}

void SumGroups(const float* dy, const int32_t* ids, const int32_t* firsts, const int32_t* order,
               const int32_t* groups, int64_t groups_max, int64_t width, float* gradient,
               cudaStream_t stream) {
  Launch(SumGroupsKernel, Blocks(groups_max * width), kThreads, stream, dy, ids, firsts, order,
         groups, width, gradient);
}

}  // namespace baton::trainer::cuda::kernels
