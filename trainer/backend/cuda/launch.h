// How kernels are started. By the runtime's own function and not by nvcc's brackets, so that a
// compiler for the host alone can read the .cu files too (tests/fakes/cuda).
#pragma once

#include <cuda_runtime.h>

#include <utility>

namespace baton::trainer::cuda::kernels {

// kernel(arguments...) by `blocks` of `threads` each, behind what `stream` has to do before. What
// goes wrong is told by cudaGetLastError. No blocks: nothing to do, which CUDA would call a
// mistake.
template <class... Parameters, class... Arguments>
void Launch(void (*kernel)(Parameters...), dim3 blocks, dim3 threads, cudaStream_t stream,
            Arguments&&... arguments) {
  if (blocks.x == 0) return;
  cudaLaunchConfig_t shape{};
  shape.gridDim = blocks;
  shape.blockDim = threads;
  shape.stream = stream;
  static_cast<void>(cudaLaunchKernelEx(&shape, kernel, std::forward<Arguments>(arguments)...));
}

}  // namespace baton::trainer::cuda::kernels
