// Sums within one block, in a fixed order.
#pragma once

#include <cstdint>

namespace baton::trainer::cuda::kernels {

inline constexpr int kThreads = 256;
// A block's grid has at most this many blocks; loops cover the rest.
inline constexpr int64_t kBlocksMax = 1 << 20;

inline unsigned Blocks(int64_t items, int64_t per_block = kThreads) {
  const int64_t blocks = (items + per_block - 1) / per_block;
  return static_cast<unsigned>(blocks < kBlocksMax ? blocks : kBlocksMax);
}

// Of each thread's value, for all threads. Every thread of a block of kSize must come here.
template <int kSize>
__device__ double BlockSum(double value) {
  __shared__ double sums[kSize];
  __syncthreads();  // of an earlier sum all have read
  sums[threadIdx.x] = value;
  for (int half = kSize / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  __syncthreads();
  return sums[0];
}

struct Best {
  float value;
  int64_t place;  // -1: none
};

__device__ inline Best Better(Best a, Best b) {
  if (a.place < 0) return b;
  if (b.place < 0) return a;
  if (a.value > b.value) return a;
  if (b.value > a.value) return b;
  return a.place < b.place ? a : b;
}

// The largest value and the first place that has it, for all threads; as BlockSum.
template <int kSize>
__device__ Best BlockBest(Best best) {
  __shared__ Best bests[kSize];
  __syncthreads();
  bests[threadIdx.x] = best;
  for (int half = kSize / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
      bests[threadIdx.x] = Better(bests[threadIdx.x], bests[threadIdx.x + half]);
    }
  }
  __syncthreads();
  return bests[0];
}

// for (i of 0 .. count) in a grid of Blocks(count)
#define BATON_FOR_EACH(i, count)                                                             \
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < (count); \
       i += static_cast<int64_t>(gridDim.x) * blockDim.x)

}  // namespace baton::trainer::cuda::kernels
