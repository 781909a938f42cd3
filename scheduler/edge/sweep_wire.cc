#include "scheduler/edge/sweep_wire.h"

#include <bit>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/contract.h"
#include "common/ids.h"
#include "common/spec/entry.h"
#include "common/status.h"
#include "scheduler/core/sweep_rules.h"
#include "scheduler/edge/from_wire.h"
#include "scheduler/edge/sweep_check.h"
#include "scheduler/edge/to_wire.h"

namespace baton::edge {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

v1::SweepState StateOf(state::SweepState state) {
  switch (state) {
    case state::SweepState::kRunning:
      return v1::SWEEP_RUNNING;
    case state::SweepState::kStopping:
      return v1::SWEEP_STOPPING;
    case state::SweepState::kSucceeded:
      return v1::SWEEP_SUCCEEDED;
    case state::SweepState::kFailed:
      return v1::SWEEP_FAILED;
    case state::SweepState::kCancelled:
      return v1::SWEEP_CANCELLED;
  }
  return v1::SWEEP_STATE_UNSPECIFIED;
}

// "optimizer.lr=0.1", one a line: YAML, of which JSON is a part.
std::string SpecSets(const ordered_json& params) {
  std::vector<std::string> sets;
  for (const auto& [name, value] : params.items())
    sets.push_back(absl::StrCat(name, "=", value.dump()));
  return absl::StrJoin(sets, "\n");
}

void TrialToWire(const Seen& seen, const Progress& progress, const state::Trial& trial,
                 v1::Trial* wire) {
  wire->set_index(trial.index);
  wire->set_job_id(trial.job);
  wire->set_params_json(trial.params_json);
  wire->set_done(trial.phase == state::TrialPhase::kDone);
  wire->set_step(trial.step);
  wire->set_state(StateToWire(trial.outcome));
  wire->set_reason(trial.detail);
  if (trial.has_metric) wire->set_metric(std::bit_cast<double>(trial.metric_bits));
  const auto job = seen.core.state().jobs.find(trial.job);
  if (job == seen.core.state().jobs.end()) return;
  const v1::Job now = JobToListWire(seen, progress, job->second);
  wire->set_preemptions(now.preemptions());
  wire->set_cost_usd_micro(now.cost_usd_micro());
  if (wire->done()) return;
  wire->set_state(now.state());
  wire->set_step(now.step());
  wire->set_reason(now.reason());
  wire->set_held_by(now.held_by());
}

bool IsHeld(const Seen& seen, const state::Sweep& sweep) {
  if (sweep.live == 0 || sweep.reading > 0 || core::OpenSuggestion(sweep) != 0) return false;
  for (const state::Trial& trial : sweep.trials) {
    if (trial.phase != state::TrialPhase::kLive) continue;
    const state::Hold hold = seen.core.state().jobs.at(trial.job).hold;
    if (hold == state::Hold::kNone || hold == state::Hold::kPerson) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<state::SweepSubmitted> SweepFromWire(const v1::SubmitSweepRequest& request,
                                                    absl::string_view secrets_mac) {
  BATON_RETURN_IF_ERROR(CheckSubmitSweep(request));
  state::SweepSubmitted event;
  event.request_id = request.request_id();
  v1::SubmitSweepRequest without_id = request;
  without_id.clear_request_id();
  without_id.clear_secrets();  // as of a job's submit
  event.request_digest = RequestDigest(absl::StrCat(without_id.SerializeAsString(), secrets_mac));
  event.submitter =
      std::make_shared<const state::Submitter>(SubmitterFromWire(request.submitter()));
  event.id = JobId(absl::StrCat("sweep/", request.request_id()), 0);
  event.name = request.job().name();
  const v1::SweepPlan& plan = request.plan();
  event.plan = {.goal = plan.goal() == v1::SweepPlan::MINIMIZE ? state::SweepGoal::kMinimize
                                                               : state::SweepGoal::kMaximize,
                .metric = plan.metric(),
                .trials_max = plan.max_trials(),
                .parallel_max = plan.parallel_trials(),
                .wire = plan.SerializeAsString()};
  event.spec = std::make_shared<const state::JobSpec>(
      JobSpecFromWire(request.job(), request.queue_anyway()));
  return event;
}

absl::StatusOr<state::JobSpec> TrialSpec(const state::JobSpec& sweep, const v1::SweepPlan& plan,
                                         const state::SweepId& id, int32_t index,
                                         const std::string& params_json) {
  BATON_ASSIGN_OR_RETURN(v1::JobSpec wire, SpecToWire(sweep, ""));
  const ordered_json params = ordered_json::parse(params_json, nullptr, false);
  json flags = json::parse(wire.params_json(), nullptr, false);
  if (!flags.is_object()) flags = json::object();
  if (!params.is_object()) return absl::DataLossError("the trial's parameters are no JSON object");
  for (const auto& [name, value] : params.items()) flags[name] = value;
  wire.set_params_json(flags.dump());
  if (wire.command().empty()) {
    v1::EnvironmentVariable* sets = wire.add_environment();
    sets->set_name(contract::kSpecSets);
    sets->set_value(SpecSets(params));
  } else if (plan.params_as_arguments()) {
    spec::JobSpec words;
    words.command.assign(wire.command().begin(), wire.command().end());
    words.params_json = wire.params_json();
    words.flags_as_arguments = true;
    const std::vector<std::string> command = spec::ProgramWords(words);
    wire.mutable_command()->Assign(command.begin(), command.end());
  }
  wire.mutable_membership()->set_sweep_id(id);
  wire.mutable_membership()->set_index(index);
  state::JobSpec trial = JobSpecFromWire(wire, sweep.queue_anyway);
  trial.sweep = id;
  trial.trial = index;
  return trial;
}

absl::StatusOr<v1::SweepPlan> PlanOf(const state::Sweep& sweep) {
  v1::SweepPlan plan;
  if (!plan.ParseFromString(sweep.plan.wire)) {
    return absl::DataLossError(
        absl::StrCat("the stored plan of sweep ", sweep.name, " is damaged"));
  }
  return plan;
}

v1::Sweep SweepToWire(const Seen& seen, const Progress& progress, const state::Sweep& sweep,
                      Trials trials) {
  v1::Sweep wire;
  wire.set_id(sweep.id);
  wire.set_name(sweep.name);
  wire.set_state(StateOf(sweep.state));
  wire.set_reason(sweep.reason);
  if (sweep.submitter != nullptr) {
    wire.set_owner(sweep.submitter->owner);
    wire.set_folder(sweep.submitter->folder);
  }
  wire.set_submit_unix_ms(sweep.submit_ms);
  wire.set_end_unix_ms(sweep.end_ms);
  if (auto plan = PlanOf(sweep); plan.ok()) *wire.mutable_plan() = *std::move(plan);
  wire.set_trials_made(static_cast<int32_t>(sweep.trials.size()));
  wire.set_trials_live(sweep.live);
  wire.set_trials_succeeded(sweep.scored);
  wire.set_best(sweep.best);
  wire.set_held(IsHeld(seen, sweep));
  if (trials == Trials::kNone) return wire;
  for (const state::Trial& trial : sweep.trials) {
    TrialToWire(seen, progress, trial, wire.add_trials());
  }
  return wire;
}

std::optional<double> MetricIn(const std::string& metrics_json, const std::string& metric) {
  const json metrics = json::parse(metrics_json, nullptr, false);
  if (!metrics.is_object()) return std::nullopt;
  const auto it = metrics.find(metric);
  if (it == metrics.end() || !it->is_number()) return std::nullopt;
  const double value = it->get<double>();
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::string MetricNames(const std::string& metrics_json) {
  constexpr size_t kNamesMax = 12;
  const json metrics = json::parse(metrics_json, nullptr, false);
  std::vector<std::string> names;
  if (!metrics.is_object()) return "";
  for (const auto& [name, value] : metrics.items()) {
    if (value.is_number() && names.size() < kNamesMax) names.push_back(name.substr(0, 64));
  }
  return absl::StrJoin(names, ", ");
}

}  // namespace baton::edge
