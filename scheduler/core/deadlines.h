// When the next thing is due for each job that waits for a time. An index over the state.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "scheduler/state/job.h"

namespace baton::core {

class Deadlines {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // Replaces the job's earlier deadline; kNever removes it.
  void Set(const state::JobId& job, int64_t at_ms) {
    const auto it = by_job_.find(job);
    if (it != by_job_.end()) {
      if (it->second == at_ms) return;
      by_time_.erase({it->second, job});
      by_job_.erase(it);
    }
    if (at_ms == kNever) return;
    by_time_.insert({at_ms, job});
    by_job_[job] = at_ms;
  }

  int64_t Next() const { return by_time_.empty() ? kNever : by_time_.begin()->first; }

  // Jobs that are due, by time, then by id.
  std::vector<state::JobId> Due(int64_t now_ms) const {
    std::vector<state::JobId> due;
    for (const auto& [at_ms, job] : by_time_) {
      if (at_ms > now_ms) break;
      due.push_back(job);
    }
    return due;
  }

 private:
  std::set<std::pair<int64_t, state::JobId>> by_time_;
  std::map<state::JobId, int64_t> by_job_;
};

}  // namespace baton::core
