// The file that a program writes its metrics to. It is the program's alone: the worker only reads
// it, so that a program may write it in any way, and copies its lines to where its own go.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "worker/metrics/append.h"

namespace baton::worker {

// Thread-safe.
class ProgramFile {
 public:
  // How far `file` was copied is kept in `file`.taken, for the worker after one that was killed.
  explicit ProgramFile(std::string file);

  // Appends the whole lines that are new. With kEnded, when no process of the task is left, a last
  // line counts without its end too. A file that has become shorter is read from its beginning.
  enum class Writer { kRuns, kEnded };
  void CopyTo(MetricsAppender& metrics, Writer writer);

  // Something was written to it.
  bool HasBegun() const;

 private:
  std::string TakeLines(Writer writer);

  const std::string file_;
  std::mutex mutex_;
  int64_t offset_ = 0;  // guarded by mutex_; copied up to here
};

}  // namespace baton::worker
