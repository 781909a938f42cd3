#include "scheduler/store/disk_space.h"

#include <sys/statvfs.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"

namespace baton::store {

absl::StatusOr<DiskSpace> DiskSpaceOf(const std::string& path) {
  struct statvfs fs = {};
  if (statvfs(path.c_str(), &fs) != 0) {
    return ErrnoStatus(errno, absl::StrCat("reading the free space of ", path));
  }
  const auto block_bytes = static_cast<int64_t>(fs.f_frsize);
  return DiskSpace{static_cast<int64_t>(fs.f_bavail) * block_bytes,
                   static_cast<int64_t>(fs.f_blocks) * block_bytes};
}

}  // namespace baton::store
