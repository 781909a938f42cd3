// Sweeps in a simulated world: what people ask for, and what the sampler and the readers of metrics
// answer. All of it follows from the sweep's id, so that it is the same whenever it is asked.
#pragma once

#include <memory>
#include <string>

#include "common/random.h"
#include "scheduler/state/effect.h"
#include "scheduler/state/event.h"
#include "scheduler/state/state.h"

namespace baton::sim {

state::SweepSubmitted RandomSweep(Random& random, const std::string& request_id,
                                  const state::JobSpec& spec);

// Of a SuggestTrial and of a ReadTrial, whose sweep the state has.
state::TrialSuggested Answer(const state::SuggestTrial& effect, const state::State& state);
state::TrialReported Answer(const state::ReadTrial& effect);

}  // namespace baton::sim
