#include "scheduler/edge/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"

namespace baton::edge {

absl::StatusOr<std::unique_ptr<FolderLock>> FolderLock::Take(const std::string& folder) {
  const std::string path = folder + "/lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, "open " + path);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char holder[32] = {};
    const ssize_t size = pread(fd, holder, sizeof holder - 1, 0);
    close(fd);
    return absl::FailedPreconditionError(absl::StrCat(
        "another scheduler", size > 0 ? absl::StrCat(" (process ", holder, ")") : "", " runs on ",
        folder, "; stop it first, or give this one a --data-dir of its own"));
  }
  const std::string pid = absl::StrCat(getpid());
  // Only for the message above: a failure to write it is none of the lock's.
  if (ftruncate(fd, 0) == 0) (void)!pwrite(fd, pid.data(), pid.size(), 0);
  return std::unique_ptr<FolderLock>(new FolderLock(fd));
}

FolderLock::~FolderLock() { close(fd_); }

}  // namespace baton::edge
