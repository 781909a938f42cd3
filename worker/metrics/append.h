// A task's metrics as they are sent: lines that the worker adds, and those of the program.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

namespace baton::worker {

// Thread-safe.
class MetricsAppender {
 public:
  explicit MetricsAppender(std::string file) : file_(std::move(file)) {}

  // Whole lines, at the file's end in one write. A full disk costs them, and is told where it
  // costs more. `about_to` hears how long the file is before them: nobody else writes until it is
  // done.
  void Append(const std::string& lines, const std::function<void(int64_t)>& about_to = nullptr);

  const std::string& file() const { return file_; }

 private:
  const std::string file_;
  std::mutex mutex_;  // held over a write
};

}  // namespace baton::worker
