#include "absl/strings/str_cat.h"
#include "scheduler/core/invariants.h"
#include "scheduler/core/sweep_rules.h"
#include "scheduler/state/job_state.h"

namespace baton::core {
namespace {

using state::Sweep;
using state::SweepState;
using state::Trial;
using state::TrialPhase;

std::string About(const Sweep& sweep, absl::string_view what) {
  return absl::StrCat("sweep ", sweep.id, " (", state::Name(sweep.state), "): ", what);
}

std::string CheckTrial(const state::State& state, const Sweep& sweep, const Trial& trial) {
  const std::string which = absl::StrCat("trial ", trial.index);
  const auto job = state.jobs.find(trial.job);
  if (job == state.jobs.end()) {
    const bool deleted = trial.phase == TrialPhase::kDone;
    return deleted ? "" : About(sweep, which + " has no job");
  }
  if (job->second.spec->sweep != sweep.id || job->second.spec->trial != trial.index) {
    return About(sweep, which + " has another's job");
  }
  const bool ended = state::IsEnded(job->second.state);
  if (ended == (trial.phase == TrialPhase::kLive)) {
    return About(sweep, which + " and its job differ on whether it lives");
  }
  if (ended && trial.outcome != job->second.state) {
    return About(sweep, which + " ended otherwise than its job");
  }
  return "";
}

}  // namespace

std::string SweepAddsUp(const state::State& state, const Sweep& sweep) {
  int32_t live = 0;
  int32_t reading = 0;
  int32_t scored = 0;
  int32_t best = 0;
  for (size_t i = 0; i < sweep.trials.size(); ++i) {
    const Trial& trial = sweep.trials[i];
    if (trial.index != static_cast<int32_t>(i) + 1) return About(sweep, "a trial's number is off");
    if (std::string wrong = CheckTrial(state, sweep, trial); !wrong.empty()) return wrong;
    live += trial.phase == TrialPhase::kLive ? 1 : 0;
    reading += trial.phase == TrialPhase::kReading ? 1 : 0;
    if (!Counts(trial)) continue;
    if (!IsFinite(trial.metric_bits)) return About(sweep, "a value that is no number counts");
    ++scored;
    best = BetterOf(sweep, best, trial.index);
  }
  if (live != sweep.live || reading != sweep.reading || scored != sweep.scored) {
    return About(sweep, "its trials are miscounted");
  }
  if (best != sweep.best) return About(sweep, "its best is not the best");
  if (static_cast<int32_t>(sweep.trials.size()) > sweep.plan.trials_max) {
    return About(sweep, "it has more trials than it may have");
  }
  if (live > sweep.plan.parallel_max) return About(sweep, "too many of its trials live");
  const bool more = live > 0 || reading > 0 || OpenSuggestion(sweep) != 0;
  if (state::IsEnded(sweep.state) == more) return About(sweep, "its state and its trials differ");
  if (state::IsEnded(sweep.state) != (sweep.end_ms != 0)) {
    return About(sweep, "its state and its end differ");
  }
  const bool told = sweep.state == SweepState::kRunning || sweep.state == SweepState::kSucceeded ||
                    !sweep.reason.empty();
  return told ? "" : About(sweep, "it ends without a reason");
}

SweepMemory Remember(const Sweep& sweep) {
  SweepMemory memory{.state = sweep.state, .params = {}, .done = sweep.done()};
  for (const Trial& trial : sweep.trials) memory.params.push_back(trial.params_json);
  return memory;
}

std::string SweepsOnlyGrow(const SweepMemory& before, const Sweep& after) {
  if (state::IsEnded(before.state)) return About(after, "it changed after its end");
  if (after.trials.size() < before.params.size()) return About(after, "a trial is forgotten");
  for (size_t i = 0; i < before.params.size(); ++i) {
    if (after.trials[i].params_json != before.params[i]) return About(after, "a trial is redrawn");
  }
  return after.done() < before.done ? About(after, "a trial that was done lives again") : "";
}

std::string OnlyEndedIsDeleted(const Core& core, const state::Event& event,
                               const state::Sweep& deleted) {
  const auto* wish = std::get_if<state::SweepDeleted>(&event);
  if (wish == nullptr || wish->sweep != deleted.id) return About(deleted, "it is lost");
  if (!state::IsEnded(deleted.state)) return About(deleted, "it was deleted and had not ended");
  for (const Trial& trial : deleted.trials) {
    if (core.state().jobs.count(trial.job) != 0) return About(deleted, "a trial's job outlives it");
  }
  const bool known = core.state().deleted.count(deleted.id) != 0;
  return known ? "" : About(deleted, "its request is forgotten");
}

std::string InvariantChecker::CheckSweep(const Core& core, const state::SweepId& id) {
  const auto at = core.state().sweeps.find(id);
  if (at == core.state().sweeps.end()) return absl::StrCat("sweep ", id, " is lost");
  std::string wrong = SweepAddsUp(core.state(), at->second);
  const auto memory = sweeps_.find(id);
  if (wrong.empty() && memory != sweeps_.end()) wrong = SweepsOnlyGrow(memory->second, at->second);
  sweeps_[id] = Remember(at->second);
  return wrong;
}

}  // namespace baton::core
