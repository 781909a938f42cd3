// How far running tasks are, as their workers last said: shown to people, told to the core when a
// node is lost, never stored. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "scheduler/state/event.h"

namespace baton::edge {

class Progress {
 public:
  // A step that is not higher than the known one changes nothing. Returns whether it was.
  bool Update(const state::LastHeard& heard);

  // The highest step that any rank of this attempt has finished; 0: nothing heard.
  int64_t StepOf(const state::JobId& job, state::Token token) const;

  // What was heard of these tasks.
  std::vector<state::LastHeard> Of(const std::vector<state::TaskKey>& tasks) const;

  // The job has no attempt with a token below `token` any more.
  void ForgetBefore(const state::JobId& job, state::Token token);

 private:
  static constexpr size_t kTasksMax = 200'000;  // a worker may name tasks that do not exist
  struct Key {
    state::JobId job;
    state::Token token = 0;
    int32_t rank = 0;
    auto operator<=>(const Key&) const = default;
  };
  mutable std::mutex mutex_;
  std::map<Key, state::LastHeard> tasks_;  // guarded by mutex_
};

}  // namespace baton::edge
