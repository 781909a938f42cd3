// The simulated cards: their memory, and the rules whose breach ends the program. What CUDA would
// answer with an error is answered so; what it would leave undefined ends here, in words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace baton::fake_cuda {

// Says what was done against CUDA's rules and aborts.
[[noreturn]] void Violation(const std::string& what);

// From the environment, read once:
//   BATON_FAKE_CUDA_DEVICES    cards (1)
//   BATON_FAKE_CUDA_MEMORY_MB  memory of each (4096)
//   BATON_FAKE_CUDA_SEED       of the order of blocks and threads (1)
//   BATON_FAKE_CUDA_OPEN       1: host code may touch card memory (0)
//   BATON_FAKE_CUDA_LATE       1: copies from pageable memory read it late, as CUDA 13 reserves to
//                              itself and cards with access to all host memory do (0)
struct Settings {
  int devices;
  size_t memory;
  uint64_t seed;
  bool open, late;
};
const Settings& TheSettings();

// The current card of this thread.
int CurrentDevice();
void SetCurrentDevice(int device);

// cudaMalloc and cudaFree, without their waiting. Null: no room. Fresh memory is all NaN.
void* Allocate(int device, size_t bytes);
void* AllocatePinned(size_t bytes);
// False when nothing begins there.
bool Release(void* memory);
bool ReleasePinned(void* memory);
void FreeMemory(int device, size_t* free, size_t* total);

enum class Place { kPageable, kPinned, kCard };
Place PlaceOf(const void* memory);
// -1 where no card memory begins, else the card.
int DeviceOf(const void* memory);

// `bytes` from there must lie in one live piece of the card's memory (or, with kMapped, in pinned
// memory, which a card reads too).
enum class Reach { kCardOnly, kMapped };
void RequireCard(const void* memory, size_t bytes, int device, const std::string& what,
                 Reach reach = Reach::kCardOnly);
void RequireHost(const void* memory, size_t bytes, const std::string& what);
// No piece of card memory was written beyond its end. Needs an Access.
void CheckEdges();

// While one lives, code on this machine may touch the cards' memory.
class Access {
 public:
  Access();
  ~Access();
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;
};

}  // namespace baton::fake_cuda
