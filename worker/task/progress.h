// How far a task is: from the progress file that the native trainer keeps (common/contract.h), else
// from the newest "step" in the metrics' JSON lines (NaN and Infinity are numbers there, as Python
// writes them).
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace baton::worker {

struct TaskSteps {
  int64_t step = 0;  // last finished; 0: none yet
  int64_t at_ms = 0;
  int64_t save_ms = 0;
  uint64_t generation = 0;      // newest that it has formed; 0: it does not say
  int64_t generation_step = 0;  // finished steps of the state with which it did
  int64_t touched_ms = 0;       // unix: when the program last wrote how far it is; 0: never
};

// Not thread-safe.
class ProgressReader {
 public:
  ProgressReader(std::string progress_file, std::string metrics_file)
      : progress_file_(std::move(progress_file)), metrics_file_(std::move(metrics_file)) {}

  // Looks again; `now_ms` is when a step found in the metrics counts as finished.
  const TaskSteps& Poll(int64_t now_ms);
  // The task has ended: reads to the end; a whole last line counts without its newline, too.
  const TaskSteps& Finish(int64_t now_ms);
  // What is wrong with the metrics and has not been told yet; empty: nothing. Told once.
  std::string TakeProblem() { return std::exchange(problem_, ""); }

 private:
  bool ReadProgressFile();
  bool ReadMetrics(int64_t now_ms);
  void TakeLine(const std::string& line, int64_t now_ms);

  const std::string progress_file_;
  const std::string metrics_file_;
  TaskSteps steps_;
  int64_t offset_ = 0;  // in the metrics file
  std::string rest_;    // a line whose end is not there yet
  bool skipping_ = false;
  std::string problem_;
  bool has_told_ = false;
};

}  // namespace baton::worker
