// Comes before every line of a .cu file that is built for the simulated card: nvcc's words.
#pragma once

#include <cuda_runtime.h>

#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "tests/fakes/cuda/card.h"
#include "tests/fakes/cuda/grid.h"
#include "tests/fakes/cuda/stream.h"

#undef __shared__
#undef __launch_bounds__
#define __shared__ static thread_local
#define __launch_bounds__(...)
#define threadIdx (::baton::fake_cuda::current_place->thread)
#define blockIdx (::baton::fake_cuda::current_place->block)
#define warpSize 32
// No macros: the fields of a launch have the same names.
using ::baton::fake_cuda::blockDim;
using ::baton::fake_cuda::gridDim;

inline void __syncthreads() { ::baton::fake_cuda::WaitForBlock(); }
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) { ::baton::fake_cuda::Exchange(mask, 0, 0); }
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

namespace baton::fake_cuda {

template <class T>
T ExchangeValue(unsigned mask, T value, unsigned lane) {
  static_assert(sizeof(T) <= sizeof(uint64_t) && std::is_trivially_copyable_v<T>);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = Exchange(mask, bits, lane);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

// `argument` in words, for what is said of it.
template <class T>
void CheckArgument(const T& argument, int device, size_t index) {
  if constexpr (std::is_pointer_v<T>) {
    if (argument == nullptr) return;
    RequireCard(argument, sizeof(std::remove_pointer_t<T>), device,
                "argument " + std::to_string(index + 1) + " of a kernel", Reach::kMapped);
  }
}

template <class... Parameters, size_t... kIndex>
void CheckArguments(const std::tuple<Parameters...>& arguments, int device,
                    std::index_sequence<kIndex...>) {
  (CheckArgument(std::get<kIndex>(arguments), device, kIndex), ...);
}

inline bool Fits(const cudaLaunchConfig_t& shape) {
  const dim3 grid = shape.gridDim, block = shape.blockDim;
  return grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.x <= 0x7FFFFFFFu && grid.y <= 65535 &&
         grid.z <= 65535 && block.x > 0 && block.y > 0 && block.z > 0 && block.x <= 1024 &&
         block.y <= 1024 && block.z <= 64 && block.x * block.y * block.z <= 1024;
}

// cudaLaunchKernelEx, which here must know the arguments' types: they are kept until the stream
// comes to them.
template <class... Parameters, class... Arguments>
cudaError_t LaunchKernel(const cudaLaunchConfig_t* shape, void (*kernel)(Parameters...),
                         Arguments&&... arguments) {
  const auto queue = QueueOf(shape->stream);
  if (queue->device != CurrentDevice()) return Answer(cudaErrorInvalidResourceHandle);
  if (!Fits(*shape)) return Answer(cudaErrorInvalidConfiguration);
  std::tuple<std::decay_t<Parameters>...> kept(std::forward<Arguments>(arguments)...);
  CheckArguments(kept, queue->device, std::index_sequence_for<Parameters...>());
  return Answer(Give(queue, [grid = shape->gridDim, block = shape->blockDim, kernel, kept] {
    RunGrid(grid, block, [&] { std::apply(kernel, kept); });
  }));
}

}  // namespace baton::fake_cuda

#define cudaLaunchKernelEx ::baton::fake_cuda::LaunchKernel

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  const unsigned own = baton::fake_cuda::Lane(), base = own / width * width;
  return baton::fake_cuda::ExchangeValue(mask, value, base + static_cast<unsigned>(lane) % width);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const unsigned own = baton::fake_cuda::Lane();
  const bool inside = own % width + delta < static_cast<unsigned>(width);
  return baton::fake_cuda::ExchangeValue(mask, value, inside ? own + delta : own);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  const unsigned own = baton::fake_cuda::Lane(), other = own ^ static_cast<unsigned>(bits);
  return baton::fake_cuda::ExchangeValue(mask, value, other / width == own / width ? other : own);
}

// Kernels of other streams may run beside this one.
template <class T, class Change>
T BatonFakeCudaChange(T* at, Change change) {
  std::atomic_ref<T> value(*at);
  T old = value.load();
  while (!value.compare_exchange_weak(old, change(old))) {
  }
  return old;
}
template <class T>
requires std::is_arithmetic_v<T> T atomicAdd(T* at, T more) {
  return BatonFakeCudaChange(at, [=](T old) { return static_cast<T>(old + more); });
}
template <class T>
requires std::is_integral_v<T> T atomicOr(T* at, T bits) {
  return BatonFakeCudaChange(at, [=](T old) { return static_cast<T>(old | bits); });
}
template <class T>
requires std::is_integral_v<T> T atomicXor(T* at, T bits) {
  return BatonFakeCudaChange(at, [=](T old) { return static_cast<T>(old ^ bits); });
}
template <class T>
requires std::is_integral_v<T> T atomicMax(T* at, T other) {
  return BatonFakeCudaChange(at, [=](T old) { return old > other ? old : other; });
}
template <class T>
T atomicExch(T* at, T other) {
  return BatonFakeCudaChange(at, [=](T) { return other; });
}

inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline int __float_as_int(float value) { return std::bit_cast<int>(value); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline float __int_as_float(int bits) { return std::bit_cast<float>(bits); }
