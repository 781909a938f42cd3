#include <utility>

#include "tests/scheduler/store/random_values.h"

namespace baton::store {

state::SweepPlan RandomValues::SweepPlan() {
  return {Any(state::SweepGoal::kMinimize), Text(), I32(), I32(), Text()};
}

state::Trial RandomValues::Trial() {
  state::Trial trial;
  trial.index = I32();
  trial.job = Text();
  trial.params_json = Text();
  trial.phase = Any(state::TrialPhase::kDone);
  trial.outcome = Any(state::JobState::kCancelled);
  trial.has_metric = Coin();
  trial.metric_bits = Number();
  trial.step = I64();
  trial.detail = Text();
  return trial;
}

state::Sweep RandomValues::Sweep() {
  state::Sweep sweep;
  sweep.id = JobId(Text(), 0);
  sweep.name = Text();
  sweep.plan = SweepPlan();
  sweep.spec = std::make_shared<const state::JobSpec>(Spec());
  sweep.submitter = std::make_shared<const state::Submitter>(Submitter());
  sweep.request_digest = Number();
  sweep.submit_ms = I64();
  sweep.end_ms = I64();
  sweep.state = Any(state::SweepState::kCancelled);
  sweep.over = Text();
  sweep.reason = Text();
  sweep.live = I32();
  sweep.reading = I32();
  sweep.scored = I32();
  sweep.best = I32();
  sweep.trials = Some([this] { return Trial(); });
  for (size_t i = 0; i < sweep.trials.size(); ++i) {
    sweep.trials[i].index = static_cast<int32_t>(i + 1);
  }
  return sweep;
}

state::Event RandomValues::SweepEvent(size_t kind) {
  const auto spec = std::make_shared<const state::JobSpec>(Spec());
  switch (kind) {
    case 0:
      return state::SweepSubmitted{
          Text(), Number(), std::make_shared<const state::Submitter>(Submitter()),
          Text(), Text(),   SweepPlan(),
          spec};
    case 1:
      return state::SweepStopped{Text(), Text()};
    case 2:
      return state::TrialSuggested{Text(), I32(), Text(), spec, Text()};
    case 3:
      return state::TrialReported{Text(), I32(), Coin(), Number(), I64(), Text()};
    default:
      return state::SweepDeleted{Text(), Text()};
  }
}

}  // namespace baton::store
