// Answers what the core asks about sweeps: draws the next trial's parameters and reads what an
// ended trial has reported. On the work queue's threads, never on the core's; an answer that finds
// the core's mailbox full is given again.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "scheduler/edge/driver.h"
#include "scheduler/edge/trial_reader.h"
#include "scheduler/edge/work_queue.h"
#include "scheduler/state/event.h"
#include "scheduler/store/store.h"

namespace baton::edge {

class SweepRunner {
 public:
  struct Parts {
    Driver& driver;
    WorkQueue& work;
    const Clock& clock;
    const store::Store& store;
    TrialReader::Sources sources;
  };
  // What it works with, before the driver starts. All of it outlives the last call of Tick.
  void Attach(const Parts& parts);

  // Core's thread. Takes the questions among an event's effects; to be run once it is stored, on
  // any thread. Null: there were none.
  Release Take(const Seen& seen);

  // Core's thread. Sweeps of which something is kept: those that run and have asked.
  size_t searches() const { return searches_.size(); }

  // Core's thread, every few ms: looks again at what could not be answered yet.
  void Tick();

 private:
  // What is kept of a sweep between two questions, so that one costs the core's thread what is new
  // and not all trials.
  struct Search;

  // Gives its answer, or nothing while there is none.
  using Task = std::function<std::optional<state::Event>(int64_t monotonic_ms)>;

  // While the disk has no room for new jobs there are no new trials either.
  Task Suggest(const state::SuggestTrial& effect, const state::Sweep& sweep);
  std::shared_ptr<Search> SearchOf(const state::Sweep& sweep);
  void ForgetEnded(const state::Outputs& outputs, const state::State& state);
  Task Read(const state::ReadTrial& effect, const state::Sweep& sweep, const state::State& state);
  void Begin();
  void Work();

  std::unique_ptr<Parts> parts_;
  std::map<state::SweepId, std::shared_ptr<Search>> searches_;  // core's thread; of what runs
  std::mutex mutex_;
  std::deque<Task> tasks_;  // guarded by mutex_: open
  bool working_ = false;    // guarded by mutex_: a thread of the work queue is at it
};

}  // namespace baton::edge
