// A task's metrics as they are sent: lines that the worker adds, and those of the program.
#pragma once

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

 private:
  const std::string file_;
  std::mutex mutex_;  // held over a write
};

}  // namespace baton::worker
