// How values of plain host memory come to a card without waiting for it. CUDA leaves open whether a
// copy from memory that is not pinned has read it when the call returns (on machines whose cards
// reach all host memory it may not have), so what is uploaded is put into pinned memory first.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <vector>

namespace baton::trainer::cuda {

// Of one stream. Thread-compatible.
class Staging {
 public:
  Staging() = default;
  // The stream must be done with it.
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // `from` may be overwritten when it returns; `to` is there in the order of the stream.
  cudaError_t Upload(const void* from, size_t bytes, void* to, cudaStream_t stream);

 private:
  // A piece of the memory, and when the copy from it is done.
  struct Slot {
    void* memory = nullptr;
    cudaEvent_t done = nullptr;
  };
  static constexpr size_t kSlotBytes = size_t{1} << 20;

  // The next slot, free to be filled.
  cudaError_t Take(Slot** slot);

  // More only while all are under way: a batch of pictures that is uploaded behind a pass.
  static constexpr size_t kSlotsMax = 128;

  std::vector<Slot> slots_;  // used in turn
  size_t next_ = 0;
};

}  // namespace baton::trainer::cuda
