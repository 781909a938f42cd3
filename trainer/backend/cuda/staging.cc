#include "trainer/backend/cuda/staging.h"

#include <algorithm>
#include <cstring>

namespace baton::trainer::cuda {

Staging::~Staging() {
  for (const Slot& slot : slots_) {
    if (slot.done != nullptr) cudaEventDestroy(slot.done);
    if (slot.memory != nullptr) cudaFreeHost(slot.memory);
  }
}

cudaError_t Staging::Take(Slot** taken) {
  Slot& slot = slots_[next_];
  next_ = (next_ + 1) % slots_.size();
  *taken = &slot;
  // An event that was never recorded counts as done.
  if (slot.done != nullptr) return cudaEventSynchronize(slot.done);
  if (slot.memory == nullptr) {
    const cudaError_t made = cudaHostAlloc(&slot.memory, kSlotBytes, cudaHostAllocDefault);
    if (made != cudaSuccess) {
      slot.memory = nullptr;
      return made;
    }
  }
  return cudaEventCreateWithFlags(&slot.done, cudaEventDisableTiming);
}

cudaError_t Staging::Upload(const void* from, size_t bytes, void* to, cudaStream_t stream) {
  for (size_t at = 0; at < bytes; at += kSlotBytes) {
    const size_t part = std::min(kSlotBytes, bytes - at);
    Slot* slot = nullptr;
    cudaError_t result = Take(&slot);
    if (result != cudaSuccess) return result;
    std::memcpy(slot->memory, static_cast<const char*>(from) + at, part);
    result = cudaMemcpyAsync(static_cast<char*>(to) + at, slot->memory, part,
                             cudaMemcpyHostToDevice, stream);
    if (result == cudaSuccess) result = cudaEventRecord(slot->done, stream);
    if (result != cudaSuccess) return result;
  }
  return cudaSuccess;
}

}  // namespace baton::trainer::cuda
