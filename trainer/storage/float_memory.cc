#include "trainer/storage/float_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"

namespace baton::trainer {
namespace {

// An open file without a name, or -1 and errno.
int OpenNameless(const std::string& folder) {
  std::string path = absl::StrCat(folder, "/table-XXXXXX");
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd >= 0) unlink(path.c_str());
  return fd;
}

constexpr size_t kHugePage = size_t{2} << 20;

// Where a huge page would be mostly empty, a cache line's.
std::align_val_t AlignmentOf(size_t bytes) {
  return std::align_val_t{bytes >= 2 * kHugePage ? kHugePage : 64};
}

}  // namespace

FloatMemory FloatMemory::InMemory(size_t count) {
  FloatMemory memory;
  if (count == 0) return memory;
  const size_t bytes = count * sizeof(float);
  const std::align_val_t alignment = AlignmentOf(bytes);
  void* heap = ::operator new(bytes, alignment);
  // Before the first touch. Without them it is only slower.
  if (alignment == std::align_val_t{kHugePage}) madvise(heap, bytes, MADV_HUGEPAGE);
  memory.floats_ = static_cast<float*>(heap);
  memory.count_ = count;
  std::fill_n(memory.floats_, count, 0.0f);
  return memory;
}

absl::StatusOr<FloatMemory> FloatMemory::InFile(const std::string& folder, size_t count) {
  FloatMemory memory;
  if (count == 0) return memory;
  std::error_code ignored;  // of a folder that can't be made the next call tells
  std::filesystem::create_directories(folder, ignored);
  const int fd = OpenNameless(folder);
  const std::string what = absl::StrCat("a table's file in ", folder);
  if (fd < 0) return ErrnoStatus(errno, what);
  const size_t bytes = count * sizeof(float);
  int wrong = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  void* mapped = MAP_FAILED;
  if (wrong == 0) {
    mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) wrong = errno;
  }
  close(fd);
  if (wrong != 0) return ErrnoStatus(wrong, absl::StrCat(what, " of ", bytes, " bytes"));
  memory.floats_ = static_cast<float*>(mapped);
  memory.count_ = count;
  memory.in_file_ = true;
  memory.Expect(Access::kHereAndThere);
  return memory;
}

void FloatMemory::Expect(Access access) const {
  if (!in_file()) return;
  madvise(floats_, count_ * sizeof(float),
          access == Access::kInOrder ? MADV_SEQUENTIAL : MADV_RANDOM);
}

FloatMemory& FloatMemory::operator=(FloatMemory&& other) noexcept {
  if (this == &other) return *this;
  Free();
  floats_ = std::exchange(other.floats_, nullptr);
  count_ = std::exchange(other.count_, 0);
  in_file_ = std::exchange(other.in_file_, false);
  return *this;
}

void FloatMemory::Free() {
  if (floats_ == nullptr) return;
  const size_t bytes = count_ * sizeof(float);
  if (in_file_) {
    munmap(floats_, bytes);
  } else {
    ::operator delete(floats_, AlignmentOf(bytes));
  }
}

}  // namespace baton::trainer
