#include <utility>

#include "absl/strings/str_cat.h"
#include "scheduler/core/sweep_rules.h"
#include "scheduler/sim/checkers.h"
#include "scheduler/state/job_state.h"
#include "scheduler/store/codec.h"

namespace baton::sim {

bool SomethingIsAsked(const state::Sweep& sweep) {
  return !state::IsEnded(sweep.state) &&
         (sweep.live == 0 || sweep.reading > 0 || core::OpenSuggestion(sweep) != 0);
}

// Crashes included: a sweep that was promised is there, with the trials that it had, and none of
// them was drawn anew.
void Checkers::CheckSweepsKept(const state::State& state) {
  for (const state::SweepId& id : acknowledged_sweeps_) {
    if (state.sweeps.count(id) == 0 && !IsDeleted(state, id)) {
      Fail("no acknowledged sweep is lost", id);
    }
  }
  for (const auto& [place, params] : drawn_) {
    if (IsDeleted(state, place.first)) continue;
    const auto sweep = state.sweeps.find(place.first);
    const bool there = sweep != state.sweeps.end() &&
                       sweep->second.trials.size() >= static_cast<size_t>(place.second);
    if (!there) Fail("no trial is lost", absl::StrCat(place.first, "/", place.second));
  }
  for (const auto& [id, sweep] : state.sweeps) {
    for (const state::Trial& trial : sweep.trials) {
      const auto& drawn =
          drawn_.emplace(std::pair(id, trial.index), trial.params_json).first->second;
      if (drawn != trial.params_json) {
        Fail("a trial is drawn once", absl::StrCat(id, "/", trial.index));
      }
    }
  }
}

void Checkers::CheckSweepsStored(const state::State& stored, const state::State& held) {
  if (stored.sweeps.size() != held.sweeps.size()) {
    return Fail("stored is held", "some sweeps are not stored");
  }
  for (const auto& [id, sweep] : stored.sweeps) {
    const auto now = held.sweeps.find(id);
    const bool same = now != held.sweeps.end() && now->second.trials == sweep.trials &&
                      now->second.state == sweep.state && now->second.best == sweep.best &&
                      now->second.live == sweep.live && now->second.reading == sweep.reading &&
                      now->second.scored == sweep.scored && now->second.over == sweep.over &&
                      now->second.reason == sweep.reason && now->second.end_ms == sweep.end_ms &&
                      now->second.plan == sweep.plan && *now->second.spec == *sweep.spec;
    if (!same) Fail("stored is held", id + " was changed and not stored");
  }
}

// What lives may wait for room that the fleet has not; nothing else is left open.
void Checkers::CheckSweepsEnded(const core::Core& core) {
  for (const auto& [id, sweep] : core.state().sweeps) {
    if (SomethingIsAsked(sweep)) {
      Fail("what can end ends", absl::StrCat("sweep ", id, " is ", state::Name(sweep.state),
                                             ", open is trial ", core::OpenSuggestion(sweep)));
    }
    if (state::IsEnded(sweep.state) && stopped_sweeps_.count(id) != 0 &&
        sweep.state != state::SweepState::kCancelled) {
      Fail("a cancel is kept", absl::StrCat("sweep ", id, " is ", state::Name(sweep.state)));
    }
  }
}

}  // namespace baton::sim
