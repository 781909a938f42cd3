// Lines that the worker adds to a task's metrics file, beside those of the program.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

namespace baton::worker {

// Thread-safe.
class MetricsAppender {
 public:
  explicit MetricsAppender(std::string file) : file_(std::move(file)) {}

  // Whole lines, at the file's end in one write. A full disk costs them, and is told where it
  // costs more.
  void Append(const std::string& lines);
  // True once the program has written to the file itself: whoever opens it without O_APPEND would
  // overwrite what others add.
  bool IsShared() const;

 private:
  const std::string file_;
  mutable std::mutex mutex_;
  int64_t ours_ = 0;  // bytes written, guarded by mutex_
};

}  // namespace baton::worker
