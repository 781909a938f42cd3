#include "tests/fakes/cuda/card.h"

#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define BATON_FAKE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BATON_FAKE_ASAN 1
#endif
#endif
#ifdef BATON_FAKE_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(address, size) static_cast<void>(0)
#endif

namespace baton::fake_cuda {
namespace {

// Addresses for all cards together: only what is used takes memory.
constexpr size_t kArena = size_t{64} << 30;
constexpr size_t kAlignment = 256;  // cudaMalloc's
// Behind each piece, filled with kEdge: whoever writes there is told.
constexpr size_t kEdgeBytes = 512;
constexpr unsigned char kEdge = 0xFD, kFresh = 0xFF;  // kFresh: a NaN of every type
// Larger pieces are filled at the front alone: handles' workspaces are not worth the time.
constexpr size_t kFillMax = size_t{1} << 20;

struct Piece {
  size_t bytes = 0;
  int device = 0;
};

struct Heap {
  std::mutex mutex;
  unsigned char* begin = nullptr;
  size_t used = 0;  // of the arena, ever
  int visitors = 0;
  std::map<uintptr_t, Piece> pieces;
  std::map<uintptr_t, size_t> gaps;  // never two side by side
  std::map<uintptr_t, size_t> pinned;
  std::vector<size_t> taken;
};

// Never destroyed: other threads may still run at exit.
Heap& TheHeap() {
  static Heap& heap = *new Heap;
  return heap;
}

uintptr_t Address(const void* memory) { return reinterpret_cast<uintptr_t>(memory); }

size_t WholeSize(size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment + kEdgeBytes;
}

std::string Text(const void* memory) {
  char text[32];
  std::snprintf(text, sizeof(text), "%p", memory);
  return text;
}

template <class Map>
auto Around(Map& pieces, uintptr_t at) {
  auto found = pieces.upper_bound(at);
  return found == pieces.begin() ? pieces.end() : --found;
}

struct sigaction former;

// Card memory that host code touches, or code on the card behind the last piece.
void OnFault(int signal, siginfo_t* info, void* context) {
  const Heap& heap = TheHeap();
  const auto* at = static_cast<const unsigned char*>(info->si_addr);
  if (at >= heap.begin && at < heap.begin + kArena) {
    static constexpr char kText[] = "simulated card: card memory touched by code of the host\n";
    static_cast<void>(!write(2, kText, sizeof(kText) - 1));
    std::abort();
  }
  if ((former.sa_flags & SA_SIGINFO) != 0) return former.sa_sigaction(signal, info, context);
  ::signal(signal, SIG_DFL);
}

void Start(Heap& heap) {
  if (heap.begin != nullptr) return;
  void* arena =
      mmap(nullptr, kArena, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (arena == MAP_FAILED) Violation("no addresses for the cards' memory");
  heap.begin = static_cast<unsigned char*>(arena);
  heap.taken.resize(static_cast<size_t>(TheSettings().devices));
  struct sigaction action {};
  action.sa_sigaction = OnFault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, &former);
}

void Protect(Heap& heap, int protection) {
  if (heap.used > 0) mprotect(heap.begin, heap.used, protection);
}

// Takes a gap or new addresses.
uintptr_t Place_(Heap& heap, size_t whole) {
  for (auto gap = heap.gaps.begin(); gap != heap.gaps.end(); ++gap) {
    const auto [at, size] = *gap;
    if (size < whole) continue;
    heap.gaps.erase(gap);
    if (size > whole) heap.gaps[at + whole] = size - whole;
    return at;
  }
  constexpr size_t kPage = 4096;
  const uintptr_t at = Address(heap.begin) + heap.used;
  const size_t more = (whole + kPage - 1) / kPage * kPage;
  if (heap.used + more > kArena) Violation("the cards' addresses are used up");
  mprotect(heap.begin + heap.used, more, PROT_READ | PROT_WRITE);
  heap.used += more;
  if (more > whole) heap.gaps[at + whole] = more - whole;
  return at;
}

void GiveBack(Heap& heap, uintptr_t at, size_t size) {
  auto after = heap.gaps.lower_bound(at);
  if (after != heap.gaps.end() && at + size == after->first) {
    size += after->second;
    after = heap.gaps.erase(after);
  }
  if (after != heap.gaps.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == at) {
      before->second += size;
      return;
    }
  }
  heap.gaps[at] = size;
}

void CheckEdge(uintptr_t at, const Piece& piece) {
  const auto* edge = reinterpret_cast<const unsigned char*>(at) + piece.bytes;
  const auto* end = reinterpret_cast<const unsigned char*>(at) + WholeSize(piece.bytes);
  ASAN_UNPOISON_MEMORY_REGION(edge, static_cast<size_t>(end - edge));
  for (const unsigned char* byte = edge; byte < end; ++byte) {
    if (*byte == kEdge) continue;
    Violation("something wrote " + std::to_string(byte - edge) + " bytes behind a piece of " +
              std::to_string(piece.bytes) + " bytes of card memory");
  }
  ASAN_POISON_MEMORY_REGION(edge, static_cast<size_t>(end - edge));
}

thread_local int current_device = 0;

size_t Number(const char* name, size_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == 0 ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

void Violation(const std::string& what) {
  std::fprintf(stderr, "simulated card: %s\n", what.c_str());
  std::abort();
}

const Settings& TheSettings() {
  static const Settings settings{
      static_cast<int>(Number("BATON_FAKE_CUDA_DEVICES", 1)),
      Number("BATON_FAKE_CUDA_MEMORY_MB", 4096) << 20, Number("BATON_FAKE_CUDA_SEED", 1),
      Number("BATON_FAKE_CUDA_OPEN", 0) != 0, Number("BATON_FAKE_CUDA_LATE", 0) != 0};
  return settings;
}

int CurrentDevice() { return current_device; }
void SetCurrentDevice(int device) { current_device = device; }

void* Allocate(int device, size_t bytes) {
  const Access access;
  Heap& heap = TheHeap();
  const std::lock_guard lock(heap.mutex);
  size_t& taken = heap.taken[static_cast<size_t>(device)];
  const size_t whole = WholeSize(bytes);
  if (taken + whole > TheSettings().memory) return nullptr;
  const uintptr_t at = Place_(heap, whole);
  taken += whole;
  heap.pieces[at] = {bytes, device};
  auto* memory = reinterpret_cast<unsigned char*>(at);
  ASAN_UNPOISON_MEMORY_REGION(memory, whole);
  std::memset(memory, kFresh, bytes < kFillMax ? bytes : kFillMax);
  std::memset(memory + bytes, kEdge, whole - bytes);
  ASAN_POISON_MEMORY_REGION(memory + bytes, whole - bytes);
  return memory;
}

void* AllocatePinned(size_t bytes) {
  void* memory = std::malloc(bytes);
  Heap& heap = TheHeap();
  const std::lock_guard lock(heap.mutex);
  heap.pinned[Address(memory)] = bytes;
  return memory;
}

bool Release(void* memory) {
  const Access access;
  Heap& heap = TheHeap();
  const std::lock_guard lock(heap.mutex);
  const auto found = heap.pieces.find(Address(memory));
  if (found == heap.pieces.end()) return false;
  const Piece piece = found->second;
  CheckEdge(found->first, piece);
  const size_t whole = WholeSize(piece.bytes);
  ASAN_POISON_MEMORY_REGION(memory, whole);
  heap.taken[static_cast<size_t>(piece.device)] -= whole;
  GiveBack(heap, found->first, whole);
  heap.pieces.erase(found);
  return true;
}

bool ReleasePinned(void* memory) {
  Heap& heap = TheHeap();
  const std::lock_guard lock(heap.mutex);
  if (heap.pinned.erase(Address(memory)) == 0) return false;
  std::free(memory);
  return true;
}

void FreeMemory(int device, size_t* free, size_t* total) {
  Heap& heap = TheHeap();
  const std::lock_guard lock(heap.mutex);
  Start(heap);
  *total = TheSettings().memory;
  *free = *total - heap.taken[static_cast<size_t>(device)];
}

Place PlaceOf(const void* memory) {
  Heap& heap = TheHeap();
  const std::lock_guard lock(heap.mutex);
  const auto* at = static_cast<const unsigned char*>(memory);
  if (heap.begin != nullptr && at >= heap.begin && at < heap.begin + kArena) return Place::kCard;
  const auto found = Around(heap.pinned, Address(memory));
  if (found != heap.pinned.end() && Address(memory) < found->first + found->second) {
    return Place::kPinned;
  }
  return Place::kPageable;
}

int DeviceOf(const void* memory) {
  Heap& heap = TheHeap();
  const std::lock_guard lock(heap.mutex);
  const auto found = heap.pieces.find(Address(memory));
  return found == heap.pieces.end() ? -1 : found->second.device;
}

void RequireCard(const void* memory, size_t bytes, int device, const std::string& what,
                 Reach reach) {
  if (bytes == 0) return;
  Heap& heap = TheHeap();
  const std::lock_guard lock(heap.mutex);
  const uintptr_t at = Address(memory);
  const auto found = Around(heap.pieces, at);
  if (found != heap.pieces.end() && at - found->first < found->second.bytes) {
    const size_t left = found->second.bytes - (at - found->first);
    if (found->second.device != device) Violation(what + " is in the memory of another card");
    if (left >= bytes) return;
    Violation(what + " has " + std::to_string(bytes) + " bytes, but only " + std::to_string(left) +
              " are left from there in its piece of " + std::to_string(found->second.bytes));
  }
  const auto pinned = Around(heap.pinned, at);
  if (reach == Reach::kMapped && pinned != heap.pinned.end() &&
      at - pinned->first + bytes <= pinned->second) {
    return;
  }
  Violation(what + " (" + Text(memory) + ") is not in live card memory");
}

void RequireHost(const void* memory, size_t bytes, const std::string& what) {
  if (bytes == 0) return;
  if (memory == nullptr) Violation(what + " is null");
  if (PlaceOf(memory) == Place::kCard) Violation(what + " is card memory, not the host's");
}

void CheckEdges() {
  Heap& heap = TheHeap();
  const std::lock_guard lock(heap.mutex);
  for (const auto& [at, piece] : heap.pieces) CheckEdge(at, piece);
}

Access::Access() {
  Heap& heap = TheHeap();
  const std::lock_guard lock(heap.mutex);
  Start(heap);
  if (heap.visitors++ == 0 && !TheSettings().open) Protect(heap, PROT_READ | PROT_WRITE);
}

Access::~Access() {
  Heap& heap = TheHeap();
  const std::lock_guard lock(heap.mutex);
  if (--heap.visitors == 0 && !TheSettings().open) Protect(heap, PROT_NONE);
}

}  // namespace baton::fake_cuda
