// What is recorded of an event's outcome, so that a replay can compare: two digests, and the notes
// in words.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "scheduler/state/outputs.h"
#include "scheduler/state/state.h"
#include "scheduler/store/shared_values.h"
#include "scheduler/store/store.h"

namespace baton::store {

struct Outcome {
  uint64_t decisions_digest = 0;  // of the answer, the job ids and the effects
  uint64_t records_digest = 0;    // of the records that the event changed
  std::vector<state::Note> notes;
};

// The records that an event changed, encoded: jobs, nodes, sweeps, counters, and what is left of
// deleted jobs.
struct Changes {
  std::vector<Put> puts;
  std::vector<Delete> removed;
};
// `state` is the state after it.
Changes ChangedRecords(const state::State& state, const state::Outputs& outputs,
                       SharedValues& shared);

// `changed` as made by ChangedRecords.
Outcome OutcomeOf(const state::Outputs& outputs, const Changes& changed, SharedValues& shared);

}  // namespace baton::store
