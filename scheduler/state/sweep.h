// A sweep as the scheduler holds it: one spec, run again and again with other parameters. Its
// trials are jobs like any other. Plain values, changed only through scheduler/core. Times are
// milliseconds since 1970 UTC.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "scheduler/state/job.h"

namespace baton::state {

enum class SweepGoal : uint8_t { kMaximize, kMinimize };

// What decisions read of a sweep's plan. `wire` is all of it (a serialized baton.v1.SweepPlan),
// opaque here: the sampler at the edge reads its space and its seed.
struct SweepPlan {
  SweepGoal goal = SweepGoal::kMaximize;
  std::string metric;
  int32_t trials_max = 1;
  int32_t parallel_max = 1;  // trials whose jobs have not ended, at a time
  std::string wire;
  bool operator==(const SweepPlan&) const = default;
};

// kStopping: a person ended it, and its last trials are being stopped.
enum class SweepState : uint8_t { kRunning, kStopping, kSucceeded, kFailed, kCancelled };

// kReading: its job has ended, and the edge is to read what it reported of the metric.
enum class TrialPhase : uint8_t { kLive, kReading, kDone };

struct Trial {
  int32_t index = 0;  // 1, 2, ..
  JobId job;          // JobId(sweep, index)
  std::string params_json;
  TrialPhase phase = TrialPhase::kLive;
  JobState outcome = JobState::kQueued;  // how its job ended; QUEUED while it has not
  bool has_metric = false;
  uint64_t metric_bits = 0;  // of the last value reported, a double that is finite
  int64_t step = 0;          // of that value; of the last one known without it
  std::string detail;        // one sentence, where there is no value
  bool operator==(const Trial&) const = default;
};

struct Sweep {
  SweepId id;
  std::string name;
  SweepPlan plan;
  std::shared_ptr<const JobSpec> spec;  // of all trials, before their parameters
  std::shared_ptr<const Submitter> submitter;
  uint64_t request_digest = 0;
  int64_t submit_ms = 0;
  int64_t end_ms = 0;  // 0: not ended
  SweepState state = SweepState::kRunning;
  std::string over;    // why no further trial is suggested, as the sampler says; empty: one may be
  std::string reason;  // how it ended, or why it is being stopped
  int32_t live = 0;    // trials by phase; of those that are done, how many brought a value
  int32_t reading = 0;
  int32_t scored = 0;
  int32_t best = 0;           // index of the best trial that has succeeded; 0: none
  std::vector<Trial> trials;  // by index, from 1 on without a gap

  int32_t done() const { return static_cast<int32_t>(trials.size()) - live - reading; }
};

inline bool IsEnded(SweepState s) {
  return s != SweepState::kRunning && s != SweepState::kStopping;
}

}  // namespace baton::state
