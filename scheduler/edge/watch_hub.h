// Wakes those who follow a job: at once when something about it has changed, but not sooner than
// its pace allows after the last time, and once a second in any case (time passes, and a reason may
// depend on other jobs). Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "scheduler/state/effect.h"

namespace baton::edge {

class WatchHub {
 public:
  struct Options {
    int64_t interval_ms = 100;       // of who follows the job
    int64_t bytes_interval_ms = 20;  // of who follows its logs or metrics
    int64_t idle_interval_ms = 1'000;
    size_t watches_max = 10'000;
  };
  explicit WatchHub(const Options& options);
  ~WatchHub() { Close(); }

  enum class Pace { kJob, kBytes };
  // `poke` is called on the hub's thread, short, until Remove has returned. ResourceExhausted when
  // too many watch already.
  absl::StatusOr<uint64_t> Add(const state::JobId& job, Pace pace, std::function<void()> poke);
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
  using Time = std::chrono::steady_clock::time_point;
  struct Watch {
    state::JobId job;
    std::chrono::milliseconds interval;
    std::function<void()> poke;
    std::vector<state::Note> notes;
    Time poked;  // last
    Time next;   // its place in the agenda
  };
  void Loop();
  // Caller holds mutex_.
  void MarkChanged(const state::JobId& job);
  void Plan(uint64_t id, Watch* watch, Time next);

  const Options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;                                // guarded by mutex_
  uint64_t next_ = 1;                                  // guarded by mutex_
  uint64_t poking_ = 0;                                // guarded by mutex_: the watch; 0: none
  std::map<uint64_t, Watch> watches_;                  // guarded by mutex_
  std::map<state::JobId, std::set<uint64_t>> by_job_;  // guarded by mutex_
  std::set<std::pair<Time, uint64_t>> agenda_;         // guarded by mutex_: all, by when
  std::thread thread_;
};

}  // namespace baton::edge
