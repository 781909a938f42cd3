#include <bit>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/ids.h"
#include "scheduler/state/job_state.h"
#include "tests/scheduler/core/scenario.h"

namespace baton::core {

// A trial's job is called after its sweep: "s-2".
state::JobId Scenario::IdOf(const std::string& name) const {
  for (const auto& [id, sweep] : core_->state().sweeps) {
    uint32_t index = 0;
    const bool is_trial = absl::StartsWith(name, sweep.name + "-") &&
                          absl::SimpleAtoi(name.substr(sweep.name.size() + 1), &index);
    if (is_trial) return JobId(id, index);
  }
  return "id-" + name;
}

std::string Scenario::NameOf(const state::JobId& id) const {
  for (const auto& [sweep_id, sweep] : core_->state().sweeps) {
    for (const state::Trial& trial : sweep.trials) {
      if (trial.job == id) return absl::StrCat(sweep.name, "-", trial.index);
    }
  }
  return id.substr(3);
}

std::string Scenario::Sweep(const Words& words) {
  const std::string& c = words.command;
  const std::string name = words.plain.at(0);
  if (c == "stop") return Apply(state::SweepStopped{.sweep = IdOf(name), .by = "ann"});
  if (c == "delete-sweep") return Apply(state::SweepDeleted{.sweep = IdOf(name), .by = "ann"});
  if (c == "trials") return ShowTrials(name);
  if (c == "sweep") {
    auto spec = std::make_shared<state::JobSpec>();
    spec->resources.cpus_milli = static_cast<int32_t>(words.Number("cpus", 1) * 1000);
    spec->retries = static_cast<int32_t>(words.Number("retries", 0));
    if (words.options.count("from") != 0) spec->from_job = IdOf(words.Text("from", ""));
    state::SweepSubmitted event;
    event.request_id = "sweep-request";
    event.request_digest = static_cast<uint64_t>(words.Number("digest", 1));
    event.id = "id-" + name;
    event.name = name;
    event.plan.metric = "acc";
    event.plan.goal = words.Text("goal", "max") == "max" ? state::SweepGoal::kMaximize
                                                         : state::SweepGoal::kMinimize;
    event.plan.trials_max = static_cast<int32_t>(words.Number("trials", 3));
    event.plan.parallel_max = static_cast<int32_t>(words.Number("parallel", 2));
    event.spec = spec;
    return Apply(event);
  }
  int32_t index = 0;
  BATON_CHECK(absl::SimpleAtoi(words.plain.at(1), &index), "a trial's index");
  const auto sweep = core_->state().sweeps.find(IdOf(name));
  if (c == "suggest") {
    state::TrialSuggested event;
    event.sweep = IdOf(name);
    event.index = index;
    event.over = words.Text("over", "");
    event.params_json = absl::StrCat("{\"x\":", words.Number("x", index), "}");
    auto spec = std::make_shared<state::JobSpec>();
    if (sweep != core_->state().sweeps.end()) *spec = *sweep->second.spec;
    spec->sweep = event.sweep;
    spec->trial = index;
    event.spec = spec;
    return Apply(event);
  }
  state::TrialReported event;
  event.sweep = IdOf(name);
  event.index = index;
  event.step = 10;
  double value = 0;
  const std::string told = words.plain.at(2);
  event.has_metric = told != "none" && absl::SimpleAtod(told, &value);
  event.metric_bits = std::bit_cast<uint64_t>(value);
  if (!event.has_metric) event.detail = "it told no number acc";
  return Apply(event);
}

std::string Scenario::ShowTrials(const std::string& name) const {
  const auto at = core_->state().sweeps.find(IdOf(name));
  if (at == core_->state().sweeps.end()) return absl::StrCat("no sweep ", name, "\n");
  const state::Sweep& sweep = at->second;
  std::string text = absl::StrCat(name, " is ", Name(sweep.state), ", best ", sweep.best,
                                  sweep.reason.empty() ? "" : ": ", sweep.reason, "\n");
  for (const state::Trial& trial : sweep.trials) {
    absl::StrAppend(&text, "  ", trial.index, " ", trial.params_json, " ",
                    Name(core_->state().jobs.at(trial.job).state),
                    trial.phase == state::TrialPhase::kReading ? ", is being read" : "");
    if (trial.has_metric) absl::StrAppend(&text, " ", std::bit_cast<double>(trial.metric_bits));
    text += "\n";
  }
  return text;
}

}  // namespace baton::core
