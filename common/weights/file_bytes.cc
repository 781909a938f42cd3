#include "common/weights/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"

namespace baton::weights {

FileBytes::FileBytes(std::string path, int fd, uint64_t size)
    : path_(std::move(path)), fd_(fd), size_(size) {}

FileBytes::~FileBytes() { ::close(fd_); }

absl::StatusOr<std::unique_ptr<FileBytes>> FileBytes::Open(const std::string& path) {
  // A pipe must not hold the program up.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("open ", path));
  struct stat about {};
  const bool known = ::fstat(fd, &about) == 0;
  std::unique_ptr<FileBytes> file(
      new FileBytes(path, fd, known ? static_cast<uint64_t>(about.st_size) : 0));
  if (!known || !S_ISREG(about.st_mode)) return file->Wrong("is no file of weights");
  return file;
}

absl::StatusOr<std::string> FileBytes::Read(uint64_t offset, uint64_t size) const {
  if (size > size_ || offset > size_ - size) {
    return absl::DataLossError(
        absl::StrCat(path_, ": ends before byte ", offset + size, "; fetch the file again"));
  }
  std::string bytes(size, '\0');
  for (uint64_t done = 0; done < size;) {
    const ssize_t got =
        ::pread(fd_, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, absl::StrCat("read ", path_));
    if (got == 0) {
      return absl::DataLossError(absl::StrCat(path_, ": became shorter while it was read"));
    }
    done += static_cast<uint64_t>(got);
  }
  return bytes;
}

absl::Status FileBytes::Wrong(const std::string& what) const {
  return absl::InvalidArgumentError(absl::StrCat(path_, ": ", what));
}

}  // namespace baton::weights
