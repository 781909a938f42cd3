#include <memory>
#include <utility>

#include "scheduler/store/codec.h"
#include "scheduler/store/codec_records.h"

namespace baton::store::v1 {

void ToRecord(const state::Label& value, Label* record) {
  const auto& [key, text] = value;
  record->set_key(key);
  record->set_value(text);
}

absl::Status FromRecord(const Label& record, state::Label* value) {
  value->key = record.key();
  value->value = record.value();
  return absl::OkStatus();
}

static void ToRecord(const state::Resources& value, Resources* record) {
  const auto& [cpus_milli, memory_bytes, gpus, gpu_type, gpu_memory_bytes, disk_bytes] = value;
  record->set_cpus_milli(cpus_milli);
  record->set_memory_bytes(memory_bytes);
  record->set_gpus(gpus);
  record->set_gpu_type(gpu_type);
  record->set_gpu_memory_bytes(gpu_memory_bytes);
  record->set_disk_bytes(disk_bytes);
}

static absl::Status FromRecord(const Resources& record, state::Resources* value) {
  value->cpus_milli = record.cpus_milli();
  value->memory_bytes = record.memory_bytes();
  value->gpus = record.gpus();
  value->gpu_type = record.gpu_type();
  value->gpu_memory_bytes = record.gpu_memory_bytes();
  value->disk_bytes = record.disk_bytes();
  return absl::OkStatus();
}

static void ToRecord(const state::JobSpec& value, JobSpec* record) {
  const auto& [project, priority, ranks_min, ranks_max, shards, ranks_per_node, resources, any_of,
               retries, capacity, require, checkpoints_kept, time_limit_ms, notice_grace_ms,
               prepare_limit_ms, queue_anyway, from_job, from_checkpoint, sweep, trial, data,
               wire] = value;
  record->set_project(project);
  record->set_priority(priority);
  record->set_ranks_min(ranks_min);
  record->set_ranks_max(ranks_max);
  record->set_shards(shards);
  record->set_ranks_per_node(ranks_per_node);
  ToRecord(resources, record->mutable_resources());
  ToRepeated(any_of, record->mutable_any_of());
  record->set_retries(retries);
  record->set_capacity(EnumNumber(capacity));
  ToRepeated(require, record->mutable_require());
  record->set_checkpoints_kept(checkpoints_kept);
  record->set_time_limit_ms(time_limit_ms);
  record->set_notice_grace_ms(notice_grace_ms);
  record->set_prepare_limit_ms(prepare_limit_ms);
  record->mutable_data()->Assign(data.begin(), data.end());
  record->set_queue_anyway(queue_anyway);
  record->set_from_job(from_job);
  record->set_from_checkpoint(from_checkpoint);
  record->set_sweep(sweep);
  record->set_trial(trial);
  record->set_wire(wire);
}

static absl::Status FromRecord(const JobSpec& record, state::JobSpec* value) {
  value->project = record.project();
  value->priority = record.priority();
  value->ranks_min = record.ranks_min();
  value->ranks_max = record.ranks_max();
  value->shards = record.shards();
  value->ranks_per_node = record.ranks_per_node();
  BATON_RETURN_IF_ERROR(FromRecord(record.resources(), &value->resources));
  BATON_RETURN_IF_ERROR(FromRepeated(record.any_of(), &value->any_of));
  value->retries = record.retries();
  BATON_RETURN_IF_ERROR(
      EnumOfNumber(record.capacity(), state::Capacity::kOnDemand, "capacity", &value->capacity));
  BATON_RETURN_IF_ERROR(FromRepeated(record.require(), &value->require));
  value->checkpoints_kept = record.checkpoints_kept();
  value->time_limit_ms = record.time_limit_ms();
  value->notice_grace_ms = record.notice_grace_ms();
  value->prepare_limit_ms = record.prepare_limit_ms();
  value->data.assign(record.data().begin(), record.data().end());
  value->queue_anyway = record.queue_anyway();
  value->from_job = record.from_job();
  value->from_checkpoint = record.from_checkpoint();
  value->sweep = record.sweep();
  value->trial = record.trial();
  value->wire = record.wire();
  return absl::OkStatus();
}

static void ToRecord(const state::Task& value, Task* record) {
  const auto& [rank, node, phase, gpus, address, port, exit_code, end_ms, first_step, first_step_ms,
               last_step, last_step_ms, setup_ms, restore_ms, save_ms, error, infrastructure,
               output_digest, exit_cause, start_ms, ready, joined, deadline_ms, let_go] = value;
  record->set_rank(rank);
  record->set_node(node);
  record->set_phase(EnumNumber(phase));
  record->mutable_gpus()->Assign(gpus.begin(), gpus.end());
  record->set_address(address);
  record->set_port(port);
  record->set_exit_code(exit_code);
  record->set_end_ms(end_ms);
  record->set_first_step(first_step);
  record->set_first_step_ms(first_step_ms);
  record->set_last_step(last_step);
  record->set_last_step_ms(last_step_ms);
  record->set_setup_ms(setup_ms);
  record->set_restore_ms(restore_ms);
  record->set_save_ms(save_ms);
  record->set_error(error);
  record->set_infrastructure(infrastructure);
  record->set_output_digest(output_digest);
  record->set_exit_cause(exit_cause);
  record->set_start_ms(start_ms);
  record->set_ready(ready);
  record->set_joined(joined);
  record->set_deadline_ms(deadline_ms);
  record->set_let_go(let_go);
}

static absl::Status FromRecord(const Task& record, state::Task* value) {
  value->rank = record.rank();
  value->node = record.node();
  BATON_RETURN_IF_ERROR(
      EnumOfNumber(record.phase(), state::TaskPhase::kLost, "task phase", &value->phase));
  value->gpus.assign(record.gpus().begin(), record.gpus().end());
  value->address = record.address();
  value->port = record.port();
  value->exit_code = record.exit_code();
  value->end_ms = record.end_ms();
  value->first_step = record.first_step();
  value->first_step_ms = record.first_step_ms();
  value->last_step = record.last_step();
  value->last_step_ms = record.last_step_ms();
  value->setup_ms = record.setup_ms();
  value->restore_ms = record.restore_ms();
  value->save_ms = record.save_ms();
  value->error = record.error();
  value->infrastructure = record.infrastructure();
  value->output_digest = record.output_digest();
  value->exit_cause = record.exit_cause();
  value->start_ms = record.start_ms();
  value->ready = record.ready();
  value->joined = record.joined();
  value->deadline_ms = record.deadline_ms();
  value->let_go = record.let_go();
  return absl::OkStatus();
}

static void ToRecord(const state::Loss& value, Loss* record) {
  const auto& [attempt, generation, task, node, detector, at_ms, delay_ms, steps_lost,
               recovery_ms] = value;
  record->set_attempt(attempt);
  record->set_generation(generation);
  record->set_task(task);
  record->set_node(node);
  record->set_detector(detector);
  record->set_at_ms(at_ms);
  record->set_delay_ms(delay_ms);
  record->set_steps_lost(steps_lost);
  record->set_recovery_ms(recovery_ms);
}

static absl::Status FromRecord(const Loss& record, state::Loss* value) {
  value->attempt = record.attempt();
  value->generation = record.generation();
  value->task = record.task();
  value->node = record.node();
  value->detector = record.detector();
  value->at_ms = record.at_ms();
  value->delay_ms = record.delay_ms();
  value->steps_lost = record.steps_lost();
  value->recovery_ms = record.recovery_ms();
  return absl::OkStatus();
}

static void ToRecord(const state::Accusation& value, Accusation* record) {
  const auto& [by, of] = value;
  record->set_by(by);
  record->set_of(of);
}

static absl::Status FromRecord(const Accusation& record, state::Accusation* value) {
  value->by = record.by();
  value->of = record.of();
  return absl::OkStatus();
}

static void ToRecord(const state::Elastic& value, Elastic* record) {
  const auto& [accusations, accused_ms, losses, first_step_ms, reached_step, stepped, barren,
               retries_used, survived, joiners_failed, grow_after_ms] = value;
  ToRepeated(accusations, record->mutable_accusations());
  record->set_accused_ms(accused_ms);
  ToRepeated(losses, record->mutable_losses());
  record->set_first_step_ms(first_step_ms);
  record->set_reached_step(reached_step);
  record->set_stepped(stepped);
  record->set_barren(barren);
  record->set_retries_used(retries_used);
  record->set_survived(survived);
  record->set_joiners_failed(joiners_failed);
  record->set_grow_after_ms(grow_after_ms);
}

static absl::Status FromRecord(const Elastic& record, state::Elastic* value) {
  BATON_RETURN_IF_ERROR(FromRepeated(record.accusations(), &value->accusations));
  value->accused_ms = record.accused_ms();
  BATON_RETURN_IF_ERROR(FromRepeated(record.losses(), &value->losses));
  value->first_step_ms = record.first_step_ms();
  value->reached_step = record.reached_step();
  value->stepped = record.stepped();
  value->barren = record.barren();
  value->retries_used = record.retries_used();
  value->survived = record.survived();
  value->joiners_failed = record.joiners_failed();
  value->grow_after_ms = record.grow_after_ms();
  return absl::OkStatus();
}

static void ToRecord(const state::NoticeSeen& value, NoticeSeen* record) {
  const auto& [node, source, kind, deadline_ms, seen_ms] = value;
  record->set_node(node);
  record->set_source(source);
  record->set_kind(kind);
  record->set_deadline_ms(deadline_ms);
  record->set_seen_ms(seen_ms);
}

static absl::Status FromRecord(const NoticeSeen& record, state::NoticeSeen* value) {
  value->node = record.node();
  value->source = record.source();
  value->kind = record.kind();
  value->deadline_ms = record.deadline_ms();
  value->seen_ms = record.seen_ms();
  return absl::OkStatus();
}

static void ToRecord(const state::Checkpoint& value, Checkpoint* record) {
  const auto& [name, step, bytes, manifest_digest, taken_ms, committed_ms, attempt, rank] = value;
  record->set_name(name);
  record->set_step(step);
  record->set_bytes(bytes);
  record->set_manifest_digest(manifest_digest);
  record->set_taken_ms(taken_ms);
  record->set_committed_ms(committed_ms);
  record->set_attempt(attempt);
  record->set_rank(rank);
}

static absl::Status FromRecord(const Checkpoint& record, state::Checkpoint* value) {
  value->name = record.name();
  value->step = record.step();
  value->bytes = record.bytes();
  value->manifest_digest = record.manifest_digest();
  value->taken_ms = record.taken_ms();
  value->committed_ms = record.committed_ms();
  value->attempt = record.attempt();
  value->rank = record.rank();
  return absl::OkStatus();
}

static void ToRecord(const state::Phases& value, Phases* record) {
  const auto& [queue_ms, provision_ms, setup_ms, restore_ms, train_ms, save_ms, lost_ms, idle_ms] =
      value;
  record->set_queue_ms(queue_ms);
  record->set_provision_ms(provision_ms);
  record->set_setup_ms(setup_ms);
  record->set_restore_ms(restore_ms);
  record->set_train_ms(train_ms);
  record->set_save_ms(save_ms);
  record->set_lost_ms(lost_ms);
  record->set_idle_ms(idle_ms);
}

static void FromRecord(const Phases& record, state::Phases* value) {
  value->queue_ms = record.queue_ms();
  value->provision_ms = record.provision_ms();
  value->setup_ms = record.setup_ms();
  value->restore_ms = record.restore_ms();
  value->train_ms = record.train_ms();
  value->save_ms = record.save_ms();
  value->lost_ms = record.lost_ms();
  value->idle_ms = record.idle_ms();
}

static void ToRecord(const state::Attempt& value, Attempt* record) {
  const auto& [number, token, generation, world_size, tasks, members, start_ms, start_deadline_ms,
               running_ms, end_ms, cause, detail, failed_ms, verdict_deadline_ms, stop_deadline_ms,
               stop_reason, resume_name, resume_step, resume_digest, bad_checkpoint, phases,
               alternative, elastic] = value;
  record->set_number(number);
  record->set_token(token);
  record->set_generation(generation);
  record->set_world_size(world_size);
  ToRepeated(tasks, record->mutable_tasks());
  record->mutable_members()->Assign(members.begin(), members.end());
  record->set_start_ms(start_ms);
  record->set_start_deadline_ms(start_deadline_ms);
  record->set_running_ms(running_ms);
  record->set_end_ms(end_ms);
  record->set_cause(EnumNumber(cause));
  record->set_detail(detail);
  record->set_failed_ms(failed_ms);
  record->set_verdict_deadline_ms(verdict_deadline_ms);
  record->set_stop_deadline_ms(stop_deadline_ms);
  record->set_stop_reason(stop_reason);
  record->set_resume_name(resume_name);
  record->set_resume_step(resume_step);
  record->set_resume_digest(resume_digest);
  record->set_bad_checkpoint(bad_checkpoint);
  ToRecord(phases, record->mutable_phases());
  record->set_alternative(alternative);
  ToRecord(elastic, record->mutable_elastic());
}

// Of a version that knew of no generations.
static void MakeAllMembers(state::Attempt* attempt) {
  for (state::Task& task : attempt->tasks) {
    attempt->members.push_back(task.rank);
    task.joined = 1;
    attempt->elastic.first_step_ms = std::max(attempt->elastic.first_step_ms, task.first_step_ms);
  }
  attempt->elastic.stepped = attempt->elastic.first_step_ms != 0;
}

static absl::Status FromRecord(const Attempt& record, state::Attempt* value) {
  value->number = record.number();
  value->token = record.token();
  value->generation = record.generation();
  value->world_size = record.world_size();
  BATON_RETURN_IF_ERROR(FromRepeated(record.tasks(), &value->tasks));
  value->members.assign(record.members().begin(), record.members().end());
  value->start_ms = record.start_ms();
  value->start_deadline_ms = record.start_deadline_ms();
  value->running_ms = record.running_ms();
  value->end_ms = record.end_ms();
  BATON_RETURN_IF_ERROR(
      EnumOfNumber(record.cause(), state::EndCause::kPaused, "end cause", &value->cause));
  value->detail = record.detail();
  value->failed_ms = record.failed_ms();
  value->verdict_deadline_ms = record.verdict_deadline_ms();
  value->stop_deadline_ms = record.stop_deadline_ms();
  value->stop_reason = record.stop_reason();
  value->resume_name = record.resume_name();
  value->resume_step = record.resume_step();
  value->resume_digest = record.resume_digest();
  value->bad_checkpoint = record.bad_checkpoint();
  FromRecord(record.phases(), &value->phases);
  value->alternative = record.alternative();
  BATON_RETURN_IF_ERROR(FromRecord(record.elastic(), &value->elastic));
  if (value->members.empty()) MakeAllMembers(value);
  return absl::OkStatus();
}

static void ToRecord(const state::JobHistory& value, JobHistory* record) {
  const auto& [attempts, checkpoints, phases, phases_until_ms, preemptions, steps_lost,
               recoveries_ms, pending_loss_ms, cost_usd_micro, cost_on_demand_usd_micro,
               cost_remainder, cost_on_demand_remainder, retried_after, on_demand_only, device_kind,
               output_digest, losses, notices, environment] = value;
  ToRepeated(attempts, record->mutable_attempts());
  ToRepeated(checkpoints, record->mutable_checkpoints());
  ToRecord(phases, record->mutable_phases());
  record->set_phases_until_ms(phases_until_ms);
  record->set_preemptions(preemptions);
  record->set_steps_lost(steps_lost);
  record->mutable_recoveries_ms()->Assign(recoveries_ms.begin(), recoveries_ms.end());
  record->set_pending_loss_ms(pending_loss_ms);
  record->set_cost_usd_micro(cost_usd_micro);
  record->set_cost_on_demand_usd_micro(cost_on_demand_usd_micro);
  record->set_cost_remainder(cost_remainder);
  record->set_cost_on_demand_remainder(cost_on_demand_remainder);
  record->set_retried_after(retried_after);
  record->set_on_demand_only(on_demand_only);
  record->set_device_kind(device_kind);
  record->set_output_digest(output_digest);
  ToRepeated(losses, record->mutable_losses());
  ToRepeated(notices, record->mutable_notices());
  record->set_environment(environment);
}

static absl::Status FromRecord(const JobHistory& record, state::JobHistory* value) {
  BATON_RETURN_IF_ERROR(FromRepeated(record.attempts(), &value->attempts));
  BATON_RETURN_IF_ERROR(FromRepeated(record.checkpoints(), &value->checkpoints));
  FromRecord(record.phases(), &value->phases);
  value->phases_until_ms = record.phases_until_ms();
  value->preemptions = record.preemptions();
  value->steps_lost = record.steps_lost();
  value->recoveries_ms.assign(record.recoveries_ms().begin(), record.recoveries_ms().end());
  value->pending_loss_ms = record.pending_loss_ms();
  value->cost_usd_micro = record.cost_usd_micro();
  value->cost_on_demand_usd_micro = record.cost_on_demand_usd_micro();
  value->cost_remainder = record.cost_remainder();
  value->cost_on_demand_remainder = record.cost_on_demand_remainder();
  value->retried_after = record.retried_after();
  value->on_demand_only = record.on_demand_only();
  value->device_kind = record.device_kind();
  value->output_digest = record.output_digest();
  BATON_RETURN_IF_ERROR(FromRepeated(record.losses(), &value->losses));
  BATON_RETURN_IF_ERROR(FromRepeated(record.notices(), &value->notices));
  value->environment = record.environment();
  return absl::OkStatus();
}

}  // namespace baton::store::v1

namespace baton::store {

std::string EncodeSpec(const state::JobSpec& spec) {
  v1::JobSpec record;
  ToRecord(spec, &record);
  return record.SerializeAsString();
}

absl::StatusOr<state::JobSpec> DecodeSpec(absl::string_view bytes) {
  v1::JobSpec record;
  BATON_RETURN_IF_ERROR(ParseRecord(bytes, "job spec", &record));
  state::JobSpec value;
  BATON_RETURN_IF_ERROR(FromRecord(record, &value));
  return value;
}

std::string EncodeSubmitter(const state::Submitter& submitter) {
  const auto& [owner, folder] = submitter;
  v1::Submitter record;
  record.set_owner(owner);
  record.set_folder(folder);
  return record.SerializeAsString();
}

absl::StatusOr<state::Submitter> DecodeSubmitter(absl::string_view bytes) {
  v1::Submitter record;
  BATON_RETURN_IF_ERROR(ParseRecord(bytes, "submitter", &record));
  return state::Submitter{record.owner(), record.folder()};
}

std::string EncodeJob(const state::Job& job, SharedValues& shared) {
  const auto& [id, name, spec, submitter, request_digest, order, submit_ms, end_ms, state_since_ms,
               job_state, intent, hold, retries_left, reason, history] = job;
  v1::Job record;
  record.set_id(id);
  record.set_name(name);
  record.set_spec(shared.KeyOf(spec));
  record.set_submitter(shared.KeyOf(submitter));
  record.set_request_digest(request_digest);
  record.set_order(order);
  record.set_submit_ms(submit_ms);
  record.set_end_ms(end_ms);
  record.set_state_since_ms(state_since_ms);
  record.set_state(EnumNumber(job_state));
  record.set_intent(EnumNumber(intent));
  record.set_hold(EnumNumber(hold));
  record.set_retries_left(retries_left);
  record.set_reason(reason);
  if (history != nullptr) ToRecord(*history, record.mutable_history());
  return record.SerializeAsString();
}

absl::StatusOr<state::Job> DecodeJob(absl::string_view bytes, const SharedValues& shared) {
  v1::Job record;
  BATON_RETURN_IF_ERROR(ParseRecord(bytes, "job", &record));
  state::Job job;
  job.id = record.id();
  job.name = record.name();
  BATON_ASSIGN_OR_RETURN(job.spec, shared.Spec(record.spec()));
  BATON_ASSIGN_OR_RETURN(job.submitter, shared.Submitter(record.submitter()));
  job.request_digest = record.request_digest();
  job.order = record.order();
  job.submit_ms = record.submit_ms();
  job.end_ms = record.end_ms();
  job.state_since_ms = record.state_since_ms();
  BATON_RETURN_IF_ERROR(
      EnumOfNumber(record.state(), state::JobState::kCancelled, "job state", &job.state));
  BATON_RETURN_IF_ERROR(EnumOfNumber(record.intent(), state::Intent::kFail, "intent", &job.intent));
  BATON_RETURN_IF_ERROR(EnumOfNumber(record.hold(), state::Hold::kNoProgress, "hold", &job.hold));
  job.retries_left = record.retries_left();
  job.reason = record.reason();
  if (record.has_history()) {
    job.history = std::make_unique<state::JobHistory>();
    BATON_RETURN_IF_ERROR(FromRecord(record.history(), job.history.get()));
  }
  return job;
}

}  // namespace baton::store
