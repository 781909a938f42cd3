#include "worker/end_cause.h"

#include "worker/task/disk_full.h"

namespace baton::worker {

void FindEndCause(const std::string& folder, int64_t disk_bytes_min, TaskExited* exited) {
  if (exited->code == 0 || !exited->error.empty()) return;
  // What it wrote is still there: a disk that it could not write to is full now, too.
  exited->error = DiskFull(folder, disk_bytes_min);
  if (!exited->error.empty()) exited->cause = "disk-full";
  exited->infrastructure = !exited->error.empty();
}

}  // namespace baton::worker
