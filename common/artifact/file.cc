#include "common/artifact/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"

namespace baton::artifact {

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (is_open()) ::close(fd_);
    fd_ = other.Release();
  }
  return *this;
}

File::~File() {
  if (is_open()) ::close(fd_);
}

int File::Release() { return std::exchange(fd_, -1); }

absl::StatusOr<std::string> ReadAt(const File& file, int64_t offset, size_t size,
                                   const std::string& name) {
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(file.fd(), bytes.data() + done, size - done,
                              static_cast<off_t>(offset) + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, absl::StrCat("read ", name));
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

absl::Status WriteAt(const File& file, int64_t offset, absl::string_view bytes,
                     const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(file.fd(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, absl::StrCat("write ", name));
    bytes.remove_prefix(static_cast<size_t>(n));
    offset += n;
  }
  return absl::OkStatus();
}

absl::Status SyncData(const File& file, const std::string& name) {
  if (::fdatasync(file.fd()) != 0) return ErrnoStatus(errno, absl::StrCat("sync ", name));
  return absl::OkStatus();
}

absl::StatusOr<File> OpenBeneath(const std::string& folder, const std::string& path) {
  File at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at.is_open()) return ErrnoStatus(errno, absl::StrCat("open ", folder));
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  for (size_t i = 0; i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    // O_NONBLOCK: a pipe that took a file's place must not hold us.
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (last ? O_NONBLOCK : O_DIRECTORY);
    File next(::openat(at.fd(), parts[i].c_str(), flags));
    if (!next.is_open() && (errno == ELOOP || errno == ENOTDIR)) {
      return absl::InvalidArgumentError(absl::StrCat(
          folder, "/", path, " is reached by a symbolic link; put the file itself there"));
    }
    if (!next.is_open()) return ErrnoStatus(errno, absl::StrCat("open ", folder, "/", path));
    at = std::move(next);
  }
  return at;
}

}  // namespace baton::artifact
