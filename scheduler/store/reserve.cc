#include "scheduler/store/reserve.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/log.h"
#include "common/status.h"
#include "scheduler/store/disk_space.h"

namespace baton::store {
namespace {

// On a small disk the reserve is this share of it.
constexpr int64_t kDiskShare = 20;

std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

Reserve::Reserve(std::string path, int64_t bytes) : path_(std::move(path)), bytes_(bytes) {
  held_ = access(path_.c_str(), F_OK) == 0;
}

absl::Status Reserve::Adjust() {
  if (bytes_ == 0) return absl::OkStatus();
  BATON_ASSIGN_OR_RETURN(const DiskSpace space, DiskSpaceOf(FolderOf(path_)));
  const int64_t bytes = std::min(bytes_, space.total_bytes / kDiskShare);
  if (held_ && space.free_bytes < bytes) {
    if (unlink(path_.c_str()) != 0 && errno != ENOENT) {
      return ErrnoStatus(errno, absl::StrCat("giving up the reserve ", path_));
    }
    held_ = false;
    LogWarning(absl::StrCat("the disk that holds ", path_, " is nearly full (",
                            space.free_bytes >> 20, " MiB left): gave up the reserve of ",
                            bytes >> 20,
                            " MiB so that cancels and ends get through; free some "
                            "room"));
  } else if (!held_ && space.free_bytes > 4 * bytes) {
    bytes_ = bytes;
    Make();
  }
  return absl::OkStatus();
}

void Reserve::Make() {
  const int file = open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  const int error = posix_fallocate(file, 0, bytes_);
  close(file);
  held_ = error == 0;
  if (!held_) unlink(path_.c_str());
}

}  // namespace baton::store
