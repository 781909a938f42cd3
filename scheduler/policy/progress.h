// A job that gets nowhere is not repeated for ever: what its attempts say of the next one. The
// rules and their numbers are in scheduler/DESIGN.md, "Getting nowhere".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scheduler/state/job.h"

namespace baton::policy {

// From so many losses on, the next attempt goes to on-demand nodes only, or the job is held; from
// so many more on it is held in any case.
inline constexpr size_t kLossesForOnDemand = 2;
inline constexpr size_t kLossesForHold = 4;
// From so many crashes on one checkpoint on, the one before it is tried.
inline constexpr int32_t kCrashesForGivingUp = 2;

// The newest attempts, newest first, that in a row were taken away by a notice or with their node
// and have left nothing: no checkpoint was committed in them, and none finished a step beyond those
// of the attempts before it. Passed over, since they say nothing: attempts that were failed by
// their node or could not be started (both have limits of their own), and those that were taken
// away within a minute, before they ran. Attempts before a person's `retry` or `resume` do not
// count.
std::vector<const state::Attempt*> FruitlessLosses(const state::JobHistory& history);

enum class NextTry : uint8_t { kAsBefore, kOnDemandOnly, kHold };
// `on_demand_could_hold`: there is on-demand capacity that could hold the job if nothing else ran.
NextTry ChooseNextTry(state::Capacity capacity, size_t fruitless_losses, bool on_demand_could_hold);

// How many of the newest attempts, in a row, began with the checkpoint of that name and crashed
// without a step. Attempts that were taken away without a step, and those whose verdict is open,
// are passed over; attempts before a person's `retry` do not count.
int32_t CrashesOn(const state::JobHistory& history, const std::string& checkpoint);

}  // namespace baton::policy
