#include "worker/disk.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace baton::worker {
namespace {

std::string Size(int64_t bytes) {
  const double mebibytes = static_cast<double>(bytes) / (1 << 20);
  return mebibytes < 1024 ? absl::StrFormat("%.1f MiB", mebibytes)
                          : absl::StrFormat("%.1f GiB", mebibytes / 1024);
}

std::string Words(int64_t free_bytes, const std::string& folder) {
  return absl::StrCat(", and ", Size(free_bytes), " are free in ", folder);
}

}  // namespace

std::string DiskMissing(int64_t asked_bytes, int64_t free_bytes, const std::string& folder) {
  if (free_bytes >= asked_bytes) return "";
  return absl::StrCat("the job needs ", Size(asked_bytes), " of disk", Words(free_bytes, folder));
}

std::string DefaultDiskMissing(int64_t data_bytes, int64_t checkpoint_bytes, int64_t free_bytes,
                               const std::string& folder) {
  const int64_t more_bytes = 2 * data_bytes + checkpoint_bytes;
  if (free_bytes >= more_bytes) return "";
  return absl::StrCat("package, data and checkpoint have ", Size(data_bytes + checkpoint_bytes),
                      ", the job may write ", Size(more_bytes), " more", Words(free_bytes, folder),
                      "; `disk` in its spec says what it really needs");
}

}  // namespace baton::worker
