#include <utility>
#include <variant>

#include "scheduler/store/codec.h"
#include "scheduler/store/codec_reach.h"
#include "scheduler/store/codec_records.h"
#include "scheduler/store/codec_sweep.h"

namespace baton::store::v1 {

void ToRecord(const state::TaskKey& value, TaskKey* record) {
  const auto& [job, attempt, rank, token] = value;
  record->set_job(job);
  record->set_attempt(attempt);
  record->set_rank(rank);
  record->set_token(token);
}

absl::Status FromRecord(const TaskKey& record, state::TaskKey* value) {
  value->job = record.job();
  value->attempt = record.attempt();
  value->rank = record.rank();
  value->token = record.token();
  return absl::OkStatus();
}

static void ToRecord(const state::TaskReported& value, TaskReported* record) {
  const auto& [task, node, incarnation, stage, at_ms, exit_code, error, first_step, first_step_ms,
               last_step, last_step_ms, setup_ms, restore_ms, save_ms, address, port, output_digest,
               infrastructure, bad_checkpoint, exit_cause, environment, generation, generation_step,
               generation_step_ms] = value;
  ToRecord(task, record->mutable_task());
  record->set_node(node);
  record->set_incarnation(incarnation);
  record->set_stage(EnumNumber(stage));
  record->set_at_ms(at_ms);
  record->set_exit_code(exit_code);
  record->set_error(error);
  record->set_first_step(first_step);
  record->set_first_step_ms(first_step_ms);
  record->set_last_step(last_step);
  record->set_last_step_ms(last_step_ms);
  record->set_setup_ms(setup_ms);
  record->set_restore_ms(restore_ms);
  record->set_save_ms(save_ms);
  record->set_address(address);
  record->set_port(port);
  record->set_output_digest(output_digest);
  record->set_infrastructure(infrastructure);
  record->set_bad_checkpoint(bad_checkpoint);
  record->set_exit_cause(exit_cause);
  record->set_environment(environment);
  record->set_generation(generation);
  record->set_generation_step(generation_step);
  record->set_generation_step_ms(generation_step_ms);
}

static absl::Status FromRecord(const TaskReported& record, state::TaskReported* value) {
  BATON_RETURN_IF_ERROR(FromRecord(record.task(), &value->task));
  value->node = record.node();
  value->incarnation = record.incarnation();
  BATON_RETURN_IF_ERROR(
      EnumOfNumber(record.stage(), state::TaskStage::kFailed, "task stage", &value->stage));
  value->at_ms = record.at_ms();
  value->exit_code = record.exit_code();
  value->error = record.error();
  value->first_step = record.first_step();
  value->first_step_ms = record.first_step_ms();
  value->last_step = record.last_step();
  value->last_step_ms = record.last_step_ms();
  value->setup_ms = record.setup_ms();
  value->restore_ms = record.restore_ms();
  value->save_ms = record.save_ms();
  value->address = record.address();
  value->port = record.port();
  value->output_digest = record.output_digest();
  value->infrastructure = record.infrastructure();
  value->bad_checkpoint = record.bad_checkpoint();
  value->exit_cause = record.exit_cause();
  value->environment = record.environment();
  value->generation = record.generation();
  value->generation_step = record.generation_step();
  value->generation_step_ms = record.generation_step_ms();
  return absl::OkStatus();
}

static void ToRecord(const state::LastHeard& value, LastHeard* record) {
  const auto& [task, step, step_ms, save_ms] = value;
  ToRecord(task, record->mutable_task());
  record->set_step(step);
  record->set_step_ms(step_ms);
  record->set_save_ms(save_ms);
}

static absl::Status FromRecord(const LastHeard& record, state::LastHeard* value) {
  BATON_RETURN_IF_ERROR(FromRecord(record.task(), &value->task));
  value->step = record.step();
  value->step_ms = record.step_ms();
  value->save_ms = record.save_ms();
  return absl::OkStatus();
}

namespace {

// One overload per event.
class EventWriter {
 public:
  EventWriter(SharedValues& shared, Event* event) : shared_(shared), event_(event) {}

  void operator()(const state::SchedulerStarted& e) {
    const auto& [term] = e;
    event_->mutable_scheduler_started()->set_term(term);
  }
  void operator()(const state::JobsSubmitted& e) {
    const auto& [request_id, request_digest, submitter, jobs] = e;
    auto* record = event_->mutable_jobs_submitted();
    record->set_request_id(request_id);
    record->set_request_digest(request_digest);
    record->set_submitter(shared_.KeyOf(submitter));
    for (const auto& [id, name, spec] : jobs) {
      auto* job = record->add_jobs();
      job->set_id(id);
      job->set_name(name);
      job->set_spec(shared_.KeyOf(spec));
    }
  }
  void operator()(const state::JobCancelled& e) {
    const auto& [job, by] = e;
    event_->mutable_job_cancelled()->set_job(job);
    event_->mutable_job_cancelled()->set_by(by);
  }
  void operator()(const state::JobRetried& e) {
    const auto& [job, by, from] = e;
    event_->mutable_job_retried()->set_job(job);
    event_->mutable_job_retried()->set_by(by);
    event_->mutable_job_retried()->set_from(from);
  }
  void operator()(const state::NodeJoined& e) {
    const auto& [offer, tasks, notice] = e;
    ToRecord(offer, event_->mutable_node_joined()->mutable_offer());
    ToRepeated(tasks, event_->mutable_node_joined()->mutable_tasks());
    if (notice.has_value()) ToRecord(*notice, event_->mutable_node_joined()->mutable_notice());
  }
  void operator()(const state::NodeLost& e) {
    const auto& [node, incarnation, cause, last_heard_ms, tasks] = e;
    auto* record = event_->mutable_node_lost();
    record->set_node(node);
    record->set_incarnation(incarnation);
    record->set_cause(cause);
    record->set_last_heard_ms(last_heard_ms);
    ToRepeated(tasks, record->mutable_tasks());
  }
  void operator()(const state::NodeDrained& e) {
    const auto& [node, reason, grace_ms] = e;
    auto* record = event_->mutable_node_drained();
    record->set_node(node);
    record->set_reason(reason);
    record->set_grace_ms(grace_ms);
  }
  void operator()(const state::NodeUndrained& e) {
    const auto& [node] = e;
    event_->mutable_node_undrained()->set_node(node);
  }
  void operator()(const state::NodeNoticed& e) {
    const auto& [node, incarnation, notice] = e;
    auto* record = event_->mutable_node_noticed();
    record->set_node(node);
    record->set_incarnation(incarnation);
    ToRecord(notice, record->mutable_notice());
  }
  void operator()(const state::NoticeWithdrawn& e) {
    const auto& [node, incarnation] = e;
    event_->mutable_notice_withdrawn()->set_node(node);
    event_->mutable_notice_withdrawn()->set_incarnation(incarnation);
  }
  void operator()(const state::TaskReported& e) { ToRecord(e, event_->mutable_task_reported()); }
  void operator()(const state::CheckpointUploaded& e) {
    const auto& [task, node, name, step, bytes, manifest_digest, taken_ms] = e;
    auto* record = event_->mutable_checkpoint_uploaded();
    ToRecord(task, record->mutable_task());
    record->set_node(node);
    record->set_name(name);
    record->set_step(step);
    record->set_bytes(bytes);
    record->set_manifest_digest(manifest_digest);
    record->set_taken_ms(taken_ms);
  }
  void operator()(const state::TimerFired&) { event_->mutable_timer_fired(); }
  void operator()(const state::JobPaused& e) {
    const auto& [job, by] = e;
    event_->mutable_job_paused()->set_job(job);
    event_->mutable_job_paused()->set_by(by);
  }
  void operator()(const state::JobDeleted& e) {
    const auto& [job, by] = e;
    event_->mutable_job_deleted()->set_job(job);
    event_->mutable_job_deleted()->set_by(by);
  }
  void operator()(const state::JobResumed& e) {
    const auto& [job, by] = e;
    event_->mutable_job_resumed()->set_job(job);
    event_->mutable_job_resumed()->set_by(by);
  }
  void operator()(const state::SweepSubmitted& e) {
    ToRecord(e, shared_, event_->mutable_sweep_submitted());
  }
  void operator()(const state::SweepStopped& e) { ToRecord(e, event_->mutable_sweep_stopped()); }
  void operator()(const state::TrialSuggested& e) {
    ToRecord(e, shared_, event_->mutable_trial_suggested());
  }
  void operator()(const state::TrialReported& e) { ToRecord(e, event_->mutable_trial_reported()); }
  void operator()(const state::NodesProbed& e) { ToRecord(e, event_->mutable_nodes_probed()); }
  void operator()(const state::NodeCached& e) {
    const auto& [node, incarnation, cached] = e;
    auto* record = event_->mutable_node_cached();
    record->set_node(node);
    record->set_incarnation(incarnation);
    record->mutable_cached()->Assign(cached.begin(), cached.end());
  }
  void operator()(const state::SweepDeleted& e) {
    const auto& [sweep, by] = e;
    event_->mutable_sweep_deleted()->set_sweep(sweep);
    event_->mutable_sweep_deleted()->set_by(by);
  }
  void operator()(const state::LossReported& e) {
    const auto& [task, node, incarnation, generation, lost_rank] = e;
    auto* record = event_->mutable_loss_reported();
    ToRecord(task, record->mutable_task());
    record->set_node(node);
    record->set_incarnation(incarnation);
    record->set_generation(generation);
    record->set_lost_rank(lost_rank);
  }
  void operator()(const state::MemberReady& e) {
    const auto& [task, node, incarnation] = e;
    auto* record = event_->mutable_member_ready();
    ToRecord(task, record->mutable_task());
    record->set_node(node);
    record->set_incarnation(incarnation);
  }

 private:
  SharedValues& shared_;
  Event* event_;
};

}  // namespace

static void ToRecord(const state::Event& value, SharedValues& shared, Event* record) {
  std::visit(EventWriter(shared, record), value);
}

static absl::StatusOr<state::Event> FromRecord(const JobsSubmitted& record,
                                               const SharedValues& shared) {
  state::JobsSubmitted event;
  event.request_id = record.request_id();
  event.request_digest = record.request_digest();
  BATON_ASSIGN_OR_RETURN(event.submitter, shared.Submitter(record.submitter()));
  event.jobs.reserve(static_cast<size_t>(record.jobs_size()));
  for (const NewJob& job : record.jobs()) {
    BATON_ASSIGN_OR_RETURN(auto spec, shared.Spec(job.spec()));
    event.jobs.push_back({job.id(), job.name(), std::move(spec)});
  }
  return event;
}

static absl::StatusOr<state::Event> FromRecord(const NodeJoined& record) {
  state::NodeJoined event;
  BATON_RETURN_IF_ERROR(FromRecord(record.offer(), &event.offer));
  BATON_RETURN_IF_ERROR(FromRepeated(record.tasks(), &event.tasks));
  if (record.has_notice()) {
    BATON_RETURN_IF_ERROR(FromRecord(record.notice(), &event.notice.emplace()));
  }
  return event;
}

static absl::StatusOr<state::Event> FromRecord(const NodeLost& record) {
  state::NodeLost event{
      record.node(), record.incarnation(), record.cause(), record.last_heard_ms(), {}};
  BATON_RETURN_IF_ERROR(FromRepeated(record.tasks(), &event.tasks));
  return event;
}

static absl::StatusOr<state::Event> FromRecord(const NodeNoticed& record) {
  state::NodeNoticed event{record.node(), record.incarnation(), {}};
  BATON_RETURN_IF_ERROR(FromRecord(record.notice(), &event.notice));
  return event;
}

static absl::StatusOr<state::Event> FromRecord(const CheckpointUploaded& record) {
  state::CheckpointUploaded event;
  BATON_RETURN_IF_ERROR(FromRecord(record.task(), &event.task));
  event.node = record.node();
  event.name = record.name();
  event.step = record.step();
  event.bytes = record.bytes();
  event.manifest_digest = record.manifest_digest();
  event.taken_ms = record.taken_ms();
  return event;
}

static absl::StatusOr<state::Event> FromRecord(const LossReported& record) {
  state::LossReported event;
  BATON_RETURN_IF_ERROR(FromRecord(record.task(), &event.task));
  event.node = record.node();
  event.incarnation = record.incarnation();
  event.generation = record.generation();
  event.lost_rank = record.lost_rank();
  return event;
}

static absl::StatusOr<state::Event> FromRecord(const MemberReady& record) {
  state::MemberReady event;
  BATON_RETURN_IF_ERROR(FromRecord(record.task(), &event.task));
  event.node = record.node();
  event.incarnation = record.incarnation();
  return event;
}

static absl::StatusOr<state::Event> FromRecord(const Event& record, const SharedValues& shared) {
  switch (record.event_case()) {
    case Event::kSchedulerStarted:
      return state::SchedulerStarted{record.scheduler_started().term()};
    case Event::kJobsSubmitted:
      return FromRecord(record.jobs_submitted(), shared);
    case Event::kJobCancelled:
      return state::JobCancelled{record.job_cancelled().job(), record.job_cancelled().by()};
    case Event::kJobRetried:
      return state::JobRetried{record.job_retried().job(), record.job_retried().by(),
                               record.job_retried().from()};
    case Event::kNodeJoined:
      return FromRecord(record.node_joined());
    case Event::kNodeLost:
      return FromRecord(record.node_lost());
    case Event::kNodeDrained:
      return state::NodeDrained{record.node_drained().node(), record.node_drained().reason(),
                                record.node_drained().grace_ms()};
    case Event::kNodeUndrained:
      return state::NodeUndrained{record.node_undrained().node()};
    case Event::kNodeNoticed:
      return FromRecord(record.node_noticed());
    case Event::kNoticeWithdrawn:
      return state::NoticeWithdrawn{record.notice_withdrawn().node(),
                                    record.notice_withdrawn().incarnation()};
    case Event::kTaskReported: {
      state::TaskReported event;
      BATON_RETURN_IF_ERROR(FromRecord(record.task_reported(), &event));
      return event;
    }
    case Event::kCheckpointUploaded:
      return FromRecord(record.checkpoint_uploaded());
    case Event::kTimerFired:
      return state::TimerFired{};
    case Event::kJobPaused:
      return state::JobPaused{record.job_paused().job(), record.job_paused().by()};
    case Event::kJobDeleted:
      return state::JobDeleted{record.job_deleted().job(), record.job_deleted().by()};
    case Event::kJobResumed:
      return state::JobResumed{record.job_resumed().job(), record.job_resumed().by()};
    case Event::kSweepSubmitted:
      return FromRecord(record.sweep_submitted(), shared);
    case Event::kSweepStopped:
      return FromRecord(record.sweep_stopped());
    case Event::kTrialSuggested:
      return FromRecord(record.trial_suggested(), shared);
    case Event::kTrialReported:
      return FromRecord(record.trial_reported());
    case Event::kNodesProbed:
      return FromRecord(record.nodes_probed());
    case Event::kNodeCached:
      return state::NodeCached{
          record.node_cached().node(),
          record.node_cached().incarnation(),
          {record.node_cached().cached().begin(), record.node_cached().cached().end()}};
    case Event::kSweepDeleted:
      return state::SweepDeleted{record.sweep_deleted().sweep(), record.sweep_deleted().by()};
    case Event::kLossReported:
      return FromRecord(record.loss_reported());
    case Event::kMemberReady:
      return FromRecord(record.member_ready());
    case Event::EVENT_NOT_SET:
      break;
  }
  return absl::DataLossError("an event of no known kind");
}

}  // namespace baton::store::v1

namespace baton::store {

std::string EncodeEvent(const state::Event& event, SharedValues& shared) {
  v1::Event record;
  ToRecord(event, shared, &record);
  return record.SerializeAsString();
}

absl::StatusOr<state::Event> DecodeEvent(absl::string_view bytes, const SharedValues& shared) {
  v1::Event record;
  BATON_RETURN_IF_ERROR(ParseRecord(bytes, "event", &record));
  return FromRecord(record, shared);
}

}  // namespace baton::store
