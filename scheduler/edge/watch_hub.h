// Wakes those who follow a job: at most ten times a second when something about it has changed, and
// once a second in any case (time passes, and a reason may depend on other jobs). Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "scheduler/state/effect.h"

namespace baton::edge {

class WatchHub {
 public:
  struct Options {
    int64_t interval_ms = 100;
    int64_t idle_interval_ms = 1'000;
    size_t watches_max = 10'000;
  };
  explicit WatchHub(const Options& options);
  ~WatchHub() { Close(); }

  // `poke` is called on the hub's thread, short, until Remove has returned. ResourceExhausted when
  // too many watch already.
  absl::StatusOr<uint64_t> Add(const state::JobId& job, std::function<void()> poke);
  // Waits for a poke under way, so never from within one.
  void Remove(uint64_t watch);

  // The job's record, progress or streams have changed.
  void Changed(const state::JobId& job);

  // Decisions of an event that has just been applied. They are handed out by TakeNotes to a read
  // that comes after it, so that they leave only once stored.
  void AddNotes(const std::vector<state::Note>& notes);
  std::vector<state::Note> TakeNotes(uint64_t watch);

  void Close();

 private:
  static constexpr size_t kNotesMax = 1'000;  // kept for one watch
  struct Watch {
    state::JobId job;
    std::function<void()> poke;
    std::vector<state::Note> notes;
  };
  void Loop();
  std::vector<uint64_t> Due(bool all);  // caller holds mutex_

  const Options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;                                // guarded by mutex_
  uint64_t next_ = 1;                                  // guarded by mutex_
  uint64_t poking_ = 0;                                // guarded by mutex_: the watch; 0: none
  std::map<uint64_t, Watch> watches_;                  // guarded by mutex_
  std::map<state::JobId, std::set<uint64_t>> by_job_;  // guarded by mutex_
  std::set<state::JobId> dirty_;                       // guarded by mutex_: watched and changed
  std::thread thread_;
};

}  // namespace baton::edge
