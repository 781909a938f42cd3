#include "worker/task/disk_full.h"

#include <sys/statvfs.h>

#include "absl/strings/str_cat.h"

namespace baton::worker {

std::string DiskFull(const std::string& folder, int64_t bytes_min) {
  struct statvfs disk {};
  if (statvfs(folder.c_str(), &disk) != 0) return "";
  const int64_t free_bytes =
      static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
  const bool no_files = disk.f_files > 0 && disk.f_favail == 0;
  if (free_bytes >= bytes_min && !no_files) return "";
  return absl::StrCat("the disk of the node is full (",
                      no_files ? "no more files fit" : absl::StrCat(free_bytes >> 10, " KiB free"),
                      " where the worker has its folder)");
}

}  // namespace baton::worker
