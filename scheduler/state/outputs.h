// What one event made of the state: the answer, what to tell whom, and what to store first.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "scheduler/state/effect.h"
#include "scheduler/state/sweep.h"

namespace baton::state {

// Outputs of one event, in the order in which they must be told.
struct Outputs {
  // Answer to whoever caused the event: a refusal changes nothing.
  absl::Status reply;
  std::vector<JobId> job_ids;  // of a submit, also of one that was seen before
  std::vector<Effect> effects;
  std::vector<Note> notes;
  std::vector<JobId> dirty_jobs;  // records to store, sorted, each once
  std::vector<NodeId> dirty_nodes;
  std::vector<SweepId> dirty_sweeps;                      // all but their trials
  std::vector<std::pair<SweepId, int32_t>> dirty_trials;  // by sweep and index
  // Jobs that are no more, as they were; their addresses are those that they had in State::jobs.
  std::vector<std::shared_ptr<const Job>> deleted_jobs;
  std::vector<std::shared_ptr<const Sweep>> deleted_sweeps;  // as they were, with their trials
  std::vector<JobId> forgotten;                              // of State::deleted, sorted
  bool counters_dirty = false;
  bool reach_changed = false;  // State::reach, which is not stored
};

}  // namespace baton::state
