#include "scheduler/sim/sweeps.h"

#include <bit>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/ids.h"

namespace baton::sim {
namespace {

// Chance that belongs to this trial alone.
Random OfTrial(const state::SweepId& sweep, int32_t index) {
  const std::string place = absl::StrCat(sweep, "/", index);
  return Random(Xxh3(place.data(), place.size()));
}

}  // namespace

state::SweepSubmitted RandomSweep(Random& random, const std::string& request_id,
                                  const state::JobSpec& spec) {
  state::SweepSubmitted event;
  event.request_id = request_id;
  event.request_digest = Xxh3(request_id.data(), request_id.size());
  event.submitter =
      std::make_shared<const state::Submitter>(state::Submitter{"ada", "host:/home/ada"});
  event.id = JobId(absl::StrCat("sweep/", request_id), 0);
  event.name = request_id;
  event.plan.goal = random.Chance(1, 2) ? state::SweepGoal::kMaximize : state::SweepGoal::kMinimize;
  event.plan.metric = "loss";
  event.plan.trials_max = static_cast<int32_t>(random.Between(1, 12));
  event.plan.parallel_max = static_cast<int32_t>(random.Between(1, 4));
  event.spec = std::make_shared<const state::JobSpec>(spec);
  return event;
}

state::TrialSuggested Answer(const state::SuggestTrial& effect, const state::State& state) {
  const state::Sweep& sweep = state.sweeps.at(effect.sweep);
  Random random = OfTrial(effect.sweep, effect.index);
  state::TrialSuggested answer;
  answer.sweep = effect.sweep;
  answer.index = effect.index;
  if (random.Chance(1, 20)) {
    answer.over = "all points were tried";
    return answer;
  }
  answer.params_json = absl::StrCat("{\"x\":", random.Below(1'000), "}");
  state::JobSpec spec = *sweep.spec;
  spec.sweep = effect.sweep;
  spec.trial = effect.index;
  answer.spec = std::make_shared<const state::JobSpec>(std::move(spec));
  return answer;
}

state::TrialReported Answer(const state::ReadTrial& effect) {
  Random random = OfTrial(effect.sweep, -effect.index);
  state::TrialReported answer;
  answer.sweep = effect.sweep;
  answer.index = effect.index;
  answer.step = random.Between(1, 60);
  answer.has_metric = random.Chance(7, 8);
  // Few values, so that two are alike; now and then one that is no number.
  const double value = random.Chance(1, 20) ? std::numeric_limits<double>::quiet_NaN()
                                            : static_cast<double>(random.Below(6)) / 4;
  answer.metric_bits = std::bit_cast<uint64_t>(value);
  return answer;
}

}  // namespace baton::sim
