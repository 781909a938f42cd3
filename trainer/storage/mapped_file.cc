#include "trainer/storage/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"

namespace baton::trainer {

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("open ", path));
  struct stat info = {};
  int wrong = fstat(fd, &info) == 0 ? 0 : errno;
  if (wrong == 0 && S_ISDIR(info.st_mode)) wrong = EISDIR;
  MappedFile file;
  if (wrong == 0 && info.st_size > 0) {
    const auto size = static_cast<size_t>(info.st_size);
    void* mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED) {
      wrong = errno;
    } else {
      madvise(mapped, size, MADV_SEQUENTIAL);
      file.mapped_ = mapped;
      file.size_ = size;
    }
  }
  close(fd);
  if (wrong != 0) return ErrnoStatus(wrong, absl::StrCat("read ", path));
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : mapped_(std::exchange(other.mapped_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (mapped_ != nullptr) munmap(mapped_, size_);
}

}  // namespace baton::trainer
