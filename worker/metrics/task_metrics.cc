#include "worker/metrics/task_metrics.h"

#include <utility>

namespace baton::worker {

struct TaskMetrics::Printed {
  Printed(const TaskSpec& spec, std::shared_ptr<MetricsAppender> a, const Clock& c)
      : lines(spec.metrics), appender(std::move(a)), clock(c) {}

  void Hear(absl::string_view bytes) {
    std::string found;
    if (bytes.empty()) {
      found = lines.End(clock.UnixMillis());
    } else {
      found = lines.Take(bytes, clock.UnixMillis());
    }
    if (!found.empty()) appender->Append(found);
    if (std::string text = lines.TakeProblem(); !text.empty()) {
      std::lock_guard<std::mutex> lock(mutex);
      problem = std::move(text);
    }
  }

  LineMetrics lines;
  const std::shared_ptr<MetricsAppender> appender;
  const Clock& clock;
  std::mutex mutex;
  std::string problem;  // guarded by mutex; not told yet
};

TaskMetrics::TaskMetrics(const TaskSpec& spec, const TaskPlaces& places, const Clock& clock,
                         std::function<void(const std::string&)> problem)
    : appender_(std::make_shared<MetricsAppender>(places.metrics())) {
  if (spec.command.empty()) return;
  program_ = std::make_shared<ProgramFile>(places.program_metrics());
  if (!spec.metrics.empty()) printed_ = std::make_shared<Printed>(spec, appender_, clock);
  EventWatchOptions watch;
  watch.folders = {places.work(), places.output()};
  watch.metrics = appender_;
  watch.program = program_;
  watch.problem = std::move(problem);
  events_ = std::make_unique<EventWatch>(std::move(watch), clock);
}

std::function<void(absl::string_view)> TaskMetrics::Listener() {
  if (printed_ == nullptr) return nullptr;
  return [printed = printed_](absl::string_view bytes) { printed->Hear(bytes); };
}

std::string TaskMetrics::TakeProblem() {
  if (printed_ == nullptr) return "";
  std::lock_guard<std::mutex> lock(printed_->mutex);
  return std::exchange(printed_->problem, "");
}

void TaskMetrics::Gather() {
  if (program_ != nullptr) program_->CopyTo(*appender_, ProgramFile::Writer::kRuns);
}

void TaskMetrics::End() {
  if (events_ != nullptr) events_->End();
  if (program_ != nullptr) program_->CopyTo(*appender_, ProgramFile::Writer::kEnded);
}

}  // namespace baton::worker
