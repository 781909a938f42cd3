// What follows from a sweep's state alone. Internal to scheduler/core, and asked by invariants.
#pragma once

#include <cstdint>
#include <string>

#include "scheduler/state/sweep.h"

namespace baton::core {

// As many trials without a value, and none with one, end the asking for more: what fails each time
// is the script or the metric's name, not the parameters.
inline constexpr int32_t kHopelessTrials = 3;

// The index of the trial that the sampler is to suggest; 0: none now. A trial that has ended makes
// room for the next one once it is read: what comes next may depend on it.
int32_t OpenSuggestion(const state::Sweep& sweep);

// Of the bits of a double: neither NaN nor infinite.
bool IsFinite(uint64_t bits);

// A trial that is done, has succeeded and has told a value: it may be the best.
bool Counts(const state::Trial& trial);

// The better one of two indices by the sweep's goal, the lower one if they are equal; 0 is none.
// Both trials count.
int32_t BetterOf(const state::Sweep& sweep, int32_t a, int32_t b);

// "the highest val_accuracy".
std::string GoalWords(const state::SweepPlan& plan);

// Why a sweep has ended in which no trial counts.
std::string HopelessWords(const state::Sweep& sweep);

}  // namespace baton::core
