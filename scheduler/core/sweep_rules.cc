#include "scheduler/core/sweep_rules.h"

#include <bit>

#include "absl/strings/str_cat.h"
#include "scheduler/state/job_state.h"

namespace baton::core {

using state::JobState;
using state::Sweep;
using state::Trial;
using state::TrialPhase;

int32_t OpenSuggestion(const Sweep& sweep) {
  const auto made = static_cast<int32_t>(sweep.trials.size());
  const bool hopeless = sweep.scored == 0 && sweep.done() >= kHopelessTrials;
  const bool open = sweep.state == state::SweepState::kRunning && sweep.over.empty() && !hopeless &&
                    made < sweep.plan.trials_max &&
                    sweep.live + sweep.reading < sweep.plan.parallel_max;
  return open ? made + 1 : 0;
}

bool IsFinite(uint64_t bits) {
  constexpr uint64_t kExponent = uint64_t{0x7ff} << 52;
  return (bits & kExponent) != kExponent;
}

bool Counts(const Trial& trial) {
  return trial.phase == TrialPhase::kDone && trial.has_metric &&
         trial.outcome == JobState::kSucceeded;
}

int32_t BetterOf(const Sweep& sweep, int32_t a, int32_t b) {
  if (a == 0 || b == 0) return a + b;
  const auto value = [&](int32_t index) {
    return std::bit_cast<double>(sweep.trials.at(static_cast<size_t>(index - 1)).metric_bits);
  };
  if (value(a) == value(b)) return a < b ? a : b;
  const bool higher = value(a) > value(b);
  return higher == (sweep.plan.goal == state::SweepGoal::kMaximize) ? a : b;
}

std::string GoalWords(const state::SweepPlan& plan) {
  return absl::StrCat(plan.goal == state::SweepGoal::kMaximize ? "the highest " : "the lowest ",
                      plan.metric);
}

std::string HopelessWords(const Sweep& sweep) {
  if (sweep.trials.empty()) return sweep.over;
  std::string words =
      absl::StrCat("no trial has succeeded and told a value of ", sweep.plan.metric);
  constexpr size_t kNamed = 3;
  for (size_t i = 0; i < sweep.trials.size() && i < kNamed; ++i) {
    const Trial& trial = sweep.trials[i];
    absl::StrAppend(&words, "; trial ", trial.index, " is ", state::Name(trial.outcome),
                    trial.detail.empty() ? "" : ": ", trial.detail);
  }
  const bool more = static_cast<int32_t>(sweep.trials.size()) < sweep.plan.trials_max;
  if (more && sweep.over.empty()) {
    absl::StrAppend(&words, "; no further ones are tried, `baton logs ", sweep.name,
                    "-1` has what the first one said");
  }
  return words;
}

}  // namespace baton::core
