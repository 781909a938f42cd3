// Runs a kernel: the blocks one after the other, the threads of a block as fibers, in an order that
// the seed decides. A thread runs until it waits for others; kernels that never do need one fiber.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <functional>

namespace baton::fake_cuda {

// Where the running thread is.
struct Place3 {
  uint3 thread, block;
};
extern thread_local const Place3* current_place;
// Of the launch that this thread of the host runs.
inline thread_local dim3 gridDim, blockDim;

void RunGrid(dim3 blocks, dim3 threads, const std::function<void()>& kernel);

// __syncthreads: all threads of the block that have not ended.
void WaitForBlock();
// __shfl_*_sync: the value that lane `lane` of this thread's warp gives in the same exchange. All
// lanes of `mask` must take part.
uint64_t Exchange(unsigned mask, uint64_t value, unsigned lane);
unsigned Lane();

}  // namespace baton::fake_cuda
