// TensorBoard event files that a program writes below its folders, as lines of its metrics.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "worker/metrics/append.h"
#include "worker/metrics/program_file.h"

namespace baton::worker {

struct EventWatchOptions {
  std::vector<std::string> folders;  // looked through with all that is below them
  std::shared_ptr<MetricsAppender> metrics;
  std::shared_ptr<const ProgramFile> program;
  std::function<void(const std::string&)> problem;  // a sentence for the job's owner; rarely
};

// Scalars are called by their tags; those of a folder named train, validation, .. or below one with
// event files have its name before them ("validation/epoch_loss"). Nothing is read any more once
// the program writes its metrics itself. What lay there before it started (a checkpoint has brought
// it back) was told by an earlier attempt.
class EventWatch {
 public:
  EventWatch(EventWatchOptions options, const Clock& clock);
  ~EventWatch();
  EventWatch(const EventWatch&) = delete;
  EventWatch& operator=(const EventWatch&) = delete;

  // No process of the task is left: reads what is still unread. `problem` is called no more.
  void End();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
