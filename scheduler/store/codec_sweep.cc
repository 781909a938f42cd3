#include "scheduler/store/codec_sweep.h"

#include <utility>

#include "scheduler/store/codec_records.h"
#include "scheduler/store/sweep_record.pb.h"

namespace baton::store::v1 {

static void ToRecord(const state::SweepPlan& value, SweepPlan* record) {
  const auto& [goal, metric, trials_max, parallel_max, wire] = value;
  record->set_goal(EnumNumber(goal));
  record->set_metric(metric);
  record->set_trials_max(trials_max);
  record->set_parallel_max(parallel_max);
  record->set_wire(wire);
}

static absl::Status FromRecord(const SweepPlan& record, state::SweepPlan* value) {
  BATON_RETURN_IF_ERROR(
      EnumOfNumber(record.goal(), state::SweepGoal::kMinimize, "goal of a sweep", &value->goal));
  value->metric = record.metric();
  value->trials_max = record.trials_max();
  value->parallel_max = record.parallel_max();
  value->wire = record.wire();
  return absl::OkStatus();
}

void ToRecord(const state::SweepSubmitted& value, SharedValues& shared, SweepSubmitted* record) {
  const auto& [request_id, request_digest, submitter, id, name, plan, spec] = value;
  record->set_request_id(request_id);
  record->set_request_digest(request_digest);
  record->set_submitter(shared.KeyOf(submitter));
  record->set_id(id);
  record->set_name(name);
  ToRecord(plan, record->mutable_plan());
  record->set_spec(shared.KeyOf(spec));
}

absl::StatusOr<state::SweepSubmitted> FromRecord(const SweepSubmitted& record,
                                                 const SharedValues& shared) {
  state::SweepSubmitted event;
  event.request_id = record.request_id();
  event.request_digest = record.request_digest();
  BATON_ASSIGN_OR_RETURN(event.submitter, shared.Submitter(record.submitter()));
  event.id = record.id();
  event.name = record.name();
  BATON_RETURN_IF_ERROR(FromRecord(record.plan(), &event.plan));
  BATON_ASSIGN_OR_RETURN(event.spec, shared.Spec(record.spec()));
  if (event.spec == nullptr) return absl::DataLossError("a sweep without a spec");
  return event;
}

void ToRecord(const state::SweepStopped& value, SweepStopped* record) {
  const auto& [sweep, by] = value;
  record->set_sweep(sweep);
  record->set_by(by);
}

state::SweepStopped FromRecord(const SweepStopped& record) {
  return {.sweep = record.sweep(), .by = record.by()};
}

void ToRecord(const state::TrialSuggested& value, SharedValues& shared, TrialSuggested* record) {
  const auto& [sweep, index, params_json, spec, over] = value;
  record->set_sweep(sweep);
  record->set_index(index);
  record->set_params_json(params_json);
  record->set_spec(shared.KeyOf(spec));
  record->set_over(over);
}

absl::StatusOr<state::TrialSuggested> FromRecord(const TrialSuggested& record,
                                                 const SharedValues& shared) {
  state::TrialSuggested event;
  event.sweep = record.sweep();
  event.index = record.index();
  event.params_json = record.params_json();
  BATON_ASSIGN_OR_RETURN(event.spec, shared.Spec(record.spec()));
  event.over = record.over();
  return event;
}

void ToRecord(const state::TrialReported& value, TrialReported* record) {
  const auto& [sweep, index, has_metric, metric_bits, step, detail] = value;
  record->set_sweep(sweep);
  record->set_index(index);
  record->set_has_metric(has_metric);
  record->set_metric_bits(metric_bits);
  record->set_step(step);
  record->set_detail(detail);
}

state::TrialReported FromRecord(const TrialReported& record) {
  return {.sweep = record.sweep(),
          .index = record.index(),
          .has_metric = record.has_metric(),
          .metric_bits = record.metric_bits(),
          .step = record.step(),
          .detail = record.detail()};
}

void ToRecord(const state::SuggestTrial& value, SuggestTrial* record) {
  const auto& [sweep, index] = value;
  record->set_sweep(sweep);
  record->set_index(index);
}

void ToRecord(const state::ReadTrial& value, ReadTrial* record) {
  const auto& [sweep, index, job] = value;
  record->set_sweep(sweep);
  record->set_index(index);
  record->set_job(job);
}

}  // namespace baton::store::v1

namespace baton::store {

std::string EncodeSweep(const state::Sweep& sweep, SharedValues& shared) {
  const auto& [id, name, plan, spec, submitter, request_digest, submit_ms, end_ms, sweep_state,
               over, reason, live, reading, scored, best, trials] = sweep;
  v1::Sweep record;
  record.set_id(id);
  record.set_name(name);
  v1::ToRecord(plan, record.mutable_plan());
  record.set_spec(shared.KeyOf(spec));
  record.set_submitter(shared.KeyOf(submitter));
  record.set_request_digest(request_digest);
  record.set_submit_ms(submit_ms);
  record.set_end_ms(end_ms);
  record.set_state(EnumNumber(sweep_state));
  record.set_over(over);
  record.set_reason(reason);
  record.set_live(live);
  record.set_reading(reading);
  record.set_scored(scored);
  record.set_best(best);
  return record.SerializeAsString();
}

absl::StatusOr<state::Sweep> DecodeSweep(absl::string_view bytes, const SharedValues& shared) {
  v1::Sweep record;
  BATON_RETURN_IF_ERROR(ParseRecord(bytes, "sweep", &record));
  state::Sweep sweep;
  sweep.id = record.id();
  sweep.name = record.name();
  BATON_RETURN_IF_ERROR(v1::FromRecord(record.plan(), &sweep.plan));
  BATON_ASSIGN_OR_RETURN(sweep.spec, shared.Spec(record.spec()));
  BATON_ASSIGN_OR_RETURN(sweep.submitter, shared.Submitter(record.submitter()));
  sweep.request_digest = record.request_digest();
  sweep.submit_ms = record.submit_ms();
  sweep.end_ms = record.end_ms();
  BATON_RETURN_IF_ERROR(EnumOfNumber(record.state(), state::SweepState::kCancelled,
                                     "state of a sweep", &sweep.state));
  sweep.over = record.over();
  sweep.reason = record.reason();
  sweep.live = record.live();
  sweep.reading = record.reading();
  sweep.scored = record.scored();
  sweep.best = record.best();
  return sweep;
}

std::string EncodeTrial(const state::Trial& trial) {
  const auto& [index, job, params_json, phase, outcome, has_metric, metric_bits, step, detail] =
      trial;
  v1::Trial record;
  record.set_index(index);
  record.set_job(job);
  record.set_params_json(params_json);
  record.set_phase(EnumNumber(phase));
  record.set_outcome(EnumNumber(outcome));
  record.set_has_metric(has_metric);
  record.set_metric_bits(metric_bits);
  record.set_step(step);
  record.set_detail(detail);
  return record.SerializeAsString();
}

absl::StatusOr<state::Trial> DecodeTrial(absl::string_view bytes) {
  v1::Trial record;
  BATON_RETURN_IF_ERROR(ParseRecord(bytes, "trial", &record));
  state::Trial trial;
  trial.index = record.index();
  trial.job = record.job();
  trial.params_json = record.params_json();
  BATON_RETURN_IF_ERROR(
      EnumOfNumber(record.phase(), state::TrialPhase::kDone, "phase of a trial", &trial.phase));
  BATON_RETURN_IF_ERROR(EnumOfNumber(record.outcome(), state::JobState::kCancelled,
                                     "outcome of a trial", &trial.outcome));
  trial.has_metric = record.has_metric();
  trial.metric_bits = record.metric_bits();
  trial.step = record.step();
  trial.detail = record.detail();
  return trial;
}

}  // namespace baton::store
