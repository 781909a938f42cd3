// What the simulated NCCL, a library of its own as the real one is, needs of the simulated cards,
// which are inside the backend's object.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <functional>
#include <memory>

namespace baton::fake_cuda {

class Queue;

struct Hooks {
  int (*current_device)();
  std::shared_ptr<Queue> (*queue_of)(cudaStream_t stream);
  int (*device_of)(const Queue& queue);
  // Work of the stream that is called, with leave to touch card memory, until it says that it is
  // done.
  cudaError_t (*give)(const std::shared_ptr<Queue>& queue, std::function<bool()> poll);
  void (*require_card)(const void* memory, size_t bytes, int device, const char* what);
  void (*violation)(const char* what);
};

}  // namespace baton::fake_cuda

// The one name besides the plugin's that the object shows.
extern "C" __attribute__((visibility("default"))) const baton::fake_cuda::Hooks*
BatonFakeCudaHooks();
