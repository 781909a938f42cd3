// All that the worker adds to the metrics of one task: what its spec's expressions find in what it
// prints, TensorBoard's event files, and what its cards do.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "worker/core/task.h"
#include "worker/metrics/append.h"
#include "worker/metrics/event_watch.h"
#include "worker/metrics/line_metrics.h"
#include "worker/metrics/program_file.h"
#include "worker/task/environment.h"

namespace baton::worker {

// Thread-safe.
class TaskMetrics {
 public:
  // Made before the program starts. `problem` gets a sentence for the job's owner, on a thread of
  // this.
  TaskMetrics(const TaskSpec& spec, const TaskPlaces& places, const Clock& clock,
              std::function<void(const std::string&)> problem);
  TaskMetrics(const TaskMetrics&) = delete;
  TaskMetrics& operator=(const TaskMetrics&) = delete;

  // For the spool; null when the spec names no expressions.
  std::function<void(absl::string_view)> Listener();
  // What is wrong with what its expressions found and was not told yet; empty: nothing.
  std::string TakeProblem();
  // Takes what the program has written to its own file.
  void Gather();
  // No process of the task is left.
  void End();

  const std::shared_ptr<MetricsAppender>& appender() const { return appender_; }

 private:
  // Outlives this in the spool, which may hear the last words later.
  struct Printed;

  const std::shared_ptr<MetricsAppender> appender_;
  std::shared_ptr<ProgramFile> program_;  // null: a native task, which appends beside the worker
  std::shared_ptr<Printed> printed_;      // null: no expressions
  std::unique_ptr<EventWatch> events_;    // null: a native task
};

}  // namespace baton::worker
