// The file that a program writes its metrics to. It is the program's alone: the worker only reads
// it, so that a program may write it in any way, and copies its lines to where its own go.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "worker/metrics/append.h"

namespace baton::worker {

// Thread-safe.
class ProgramFile {
 public:
  // How far `file` was copied is kept in `file`.taken, for the worker after one that was killed:
  // it neither repeats a line nor passes one over.
  explicit ProgramFile(std::string file);

  // Appends the whole lines that are new. With kEnded, when no process of the task is left, a last
  // line counts without its end too. A file that the program has written anew is read from its
  // beginning; what stands there as before was copied already, however long the file is meanwhile.
  enum class Writer { kRuns, kEnded };
  void CopyTo(MetricsAppender& metrics, Writer writer);

  // Something was written to it.
  bool HasBegun() const;

 private:
  // What stands in `file`.taken: written before the lines are appended.
  struct Taken {
    int64_t before = 0;  // copied up to here, and with these lines
    int64_t after = 0;   // up to here
    int64_t size = 0;    // of the metrics without them
    int64_t bytes = 0;   // of them
  };
  void Recover(const MetricsAppender& metrics);
  void Keep(const Taken& taken) const;
  std::string ReadNew();
  std::string TakeLines(Writer writer, int64_t* begin);
  std::string WithoutKnown(const std::string& bytes);

  const std::string file_;
  std::mutex mutex_;  // protects what follows
  bool recovered_ = false;
  int64_t offset_ = 0;           // read up to here
  std::string before_;           // the last bytes before it: others say that the file is another
  std::vector<uint64_t> lines_;  // hashes of its first lines that were copied
  size_t line_ = 0;              // how many of its lines were read
};

}  // namespace baton::worker
