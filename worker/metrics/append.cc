#include "worker/metrics/append.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::worker {

void MetricsAppender::Append(const std::string& lines,
                             const std::function<void(int64_t)>& about_to) {
  std::lock_guard<std::mutex> lock(mutex_);
  const int file =
      open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file < 0) return;  // the task's folder is gone
  struct stat info {};
  if (about_to && fstat(file, &info) == 0) about_to(info.st_size);
  (void)!write(file, lines.data(), lines.size());
  close(file);
}

}  // namespace baton::worker
