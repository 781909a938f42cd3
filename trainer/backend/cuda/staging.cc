#include "trainer/backend/cuda/staging.h"

#include <algorithm>
#include <cstring>

namespace baton::trainer::cuda {

Staging::~Staging() {
  for (const Slot& slot : slots_) {
    cudaEventDestroy(slot.done);
    cudaFreeHost(slot.memory);
  }
}

cudaError_t Staging::Take(Slot** taken) {
  const bool is_free = !slots_.empty() && cudaEventQuery(slots_[next_].done) == cudaSuccess;
  if (!is_free) cudaGetLastError();  // remembers that it was not ready as well
  if (!is_free && slots_.size() < kSlotsMax) {
    Slot slot;
    cudaError_t made = cudaEventCreateWithFlags(&slot.done, cudaEventDisableTiming);
    if (made != cudaSuccess) return made;
    made = cudaHostAlloc(&slot.memory, kSlotBytes, cudaHostAllocDefault);
    if (made != cudaSuccess) {
      cudaEventDestroy(slot.done);
      return made;
    }
    // Before the one that is under way, whose turn comes next.
    slots_.insert(slots_.begin() + static_cast<std::ptrdiff_t>(next_), slot);
  }
  Slot& slot = slots_[next_];
  next_ = (next_ + 1) % slots_.size();
  *taken = &slot;
  return cudaEventSynchronize(slot.done);
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
