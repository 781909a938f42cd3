#include "trainer/storage/float_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

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

}  // namespace

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
  memory.mapped_ = static_cast<float*>(mapped);
  memory.mapped_count_ = count;
  memory.Expect(Access::kHereAndThere);
  return memory;
}

void FloatMemory::Expect(Access access) const {
  if (!in_file()) return;
  madvise(mapped_, mapped_count_ * sizeof(float),
          access == Access::kInOrder ? MADV_SEQUENTIAL : MADV_RANDOM);
}

FloatMemory& FloatMemory::operator=(FloatMemory&& other) noexcept {
  if (this == &other) return *this;
  Unmap();
  heap_ = std::move(other.heap_);
  mapped_ = std::exchange(other.mapped_, nullptr);
  mapped_count_ = std::exchange(other.mapped_count_, 0);
  return *this;
}

void FloatMemory::Unmap() {
  if (mapped_ != nullptr) munmap(mapped_, mapped_count_ * sizeof(float));
  mapped_ = nullptr;
}

}  // namespace baton::trainer
