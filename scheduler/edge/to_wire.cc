#include "scheduler/edge/to_wire.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "scheduler/core/exits.h"
#include "scheduler/edge/from_wire.h"
#include "scheduler/state/job_state.h"

namespace baton::edge {
namespace {

constexpr int32_t kExitUnknown = -1000;

// What a list shows of the spec, without parsing the request.
void DecidingFields(const state::JobSpec& spec, const std::string& name, v1::JobSpec* wire) {
  wire->set_name(name);
  wire->set_project(spec.project);
  wire->set_priority(spec.priority);
  wire->mutable_ranks()->set_min(spec.ranks_min);
  wire->mutable_ranks()->set_max(spec.ranks_max);
  wire->set_shards(spec.shards);
  wire->set_retries(spec.retries);
  if (spec.sweep.empty()) return;
  wire->mutable_membership()->set_sweep_id(spec.sweep);
  wire->mutable_membership()->set_index(spec.trial);
}

v1::Resources ToWire(const state::Resources& resources) {
  v1::Resources wire;
  wire.set_cpus_milli(resources.cpus_milli);
  wire.set_memory_bytes(resources.memory_bytes);
  wire.set_disk_bytes(resources.disk_bytes);
  wire.set_gpus(resources.gpus);
  wire.set_gpu_type(resources.gpu_type);
  wire.set_gpu_memory_bytes(resources.gpu_memory_bytes);
  return wire;
}

const state::Node* FindNode(const Seen& seen, const state::NodeId& id) {
  const auto it = seen.core.state().nodes.find(id);
  return it == seen.core.state().nodes.end() ? nullptr : &it->second;
}

std::string NodeNameOf(const Seen& seen, const state::NodeId& id) {
  const state::Node* node = FindNode(seen, id);
  return node == nullptr ? id : node->offer.name;
}

int64_t LastStepOf(const state::Attempt& attempt) {
  int64_t step = 0;
  for (const state::Task& task : attempt.tasks) step = std::max(step, task.last_step);
  return step;
}

void AttemptToWire(const Seen& seen, const Progress& progress, const state::Job& job,
                   const state::Attempt& attempt, v1::Attempt* wire) {
  wire->set_number(attempt.number);
  wire->set_world_size(attempt.world_size);
  wire->set_start_unix_ms(attempt.start_ms);
  wire->set_end_unix_ms(attempt.end_ms);
  wire->set_end_cause(std::string(state::Name(attempt.cause)));
  wire->set_end_detail(attempt.detail);
  wire->set_resumed_from_step(attempt.resume_step);
  if (!job.spec->any_of.empty()) {
    *wire->mutable_resources() = ToWire(state::NeedOf(*job.spec, attempt));
  }
  int64_t first = std::numeric_limits<int64_t>::max();
  for (const state::Task& task : attempt.tasks) {
    if (task.first_step > 0) first = std::min(first, task.first_step);
  }
  for (const int32_t member : attempt.members) {
    const state::Task& task = attempt.tasks[static_cast<size_t>(member)];
    wire->add_nodes(NodeNameOf(seen, task.node));
    if (attempt.end_ms != 0) {
      const bool known = task.phase == state::TaskPhase::kExited;
      wire->add_exit_codes(known ? task.exit_code : kExitUnknown);
      if (wire->exit_cause().empty()) wire->set_exit_cause(task.exit_cause);
    }
  }
  if (first != std::numeric_limits<int64_t>::max()) wire->set_first_step(first);
  int64_t last = LastStepOf(attempt);
  if (attempt.end_ms == 0) last = std::max(last, progress.StepOf(job.id, attempt.token));
  wire->set_last_step(last);
}

void GangToWire(const Seen& seen, const state::Job& job, v1::Job* wire) {
  if (!job.history->attempts.empty()) {
    wire->set_generation(job.history->attempts.back().generation);
  }
  for (const state::Loss& loss : job.history->losses) {
    v1::Loss* to = wire->add_losses();
    to->set_attempt(loss.attempt);
    to->set_generation(loss.generation);
    to->set_rank(loss.task);
    to->set_node(NodeNameOf(seen, loss.node));
    to->set_detector(loss.detector);
    to->set_at_unix_ms(loss.at_ms);
    to->set_delay_ms(loss.delay_ms);
    to->set_steps_lost(loss.steps_lost);
    to->set_recovery_ms(loss.recovery_ms);
  }
  for (const state::NoticeSeen& notice : job.history->notices) {
    v1::SeenNotice* to = wire->add_notices();
    to->set_source(notice.source);
    to->set_kind(notice.kind);
    to->set_deadline_unix_ms(notice.deadline_ms);
    to->set_seen_unix_ms(notice.seen_ms);
    to->set_node(NodeNameOf(seen, notice.node));
  }
}

void CheckpointToWire(const state::Checkpoint& checkpoint, v1::Checkpoint* wire) {
  wire->set_name(checkpoint.name);
  wire->set_step(checkpoint.step);
  wire->set_bytes(checkpoint.bytes);
  wire->set_sha256(checkpoint.manifest_digest);
  wire->set_committed_unix_ms(checkpoint.committed_ms);
  wire->set_attempt(checkpoint.attempt);
}

void PhasesToWire(const state::Phases& phases, v1::Phases* wire) {
  wire->set_queue_ms(phases.queue_ms);
  wire->set_provision_ms(phases.provision_ms);
  wire->set_setup_ms(phases.setup_ms);
  wire->set_restore_ms(phases.restore_ms);
  wire->set_train_ms(phases.train_ms);
  wire->set_save_ms(phases.save_ms);
  wire->set_lost_ms(phases.lost_ms);
  wire->set_idle_ms(phases.idle_ms);
}

// A step counts for the job as soon as the newest attempt has reached it.
int64_t StepOf(const Progress& progress, const state::Job& job) {
  if (job.history == nullptr || job.history->attempts.empty()) return 0;
  const state::Attempt& newest = job.history->attempts.back();
  int64_t step = std::max(LastStepOf(newest), newest.resume_step);
  if (newest.end_ms == 0) step = std::max(step, progress.StepOf(job.id, newest.token));
  return step;
}

bool PricesAreExamples(const Seen& seen, const state::Job& job) {
  if (job.history == nullptr) return false;
  for (const state::Attempt& attempt : job.history->attempts) {
    for (const state::Task& task : attempt.tasks) {
      const state::Node* node = FindNode(seen, task.node);
      if (node != nullptr && node->offer.prices_are_examples) return true;
    }
  }
  return false;
}

void CommonToWire(const Seen& seen, const Progress& progress, const state::Job& job,
                  v1::Job* wire) {
  wire->set_id(job.id);
  wire->set_name(job.name);
  wire->set_state(StateToWire(job.state));
  wire->set_reason(job.reason);
  if (job.submitter != nullptr) {
    wire->set_owner(job.submitter->owner);
    wire->set_folder(job.submitter->folder);
  }
  wire->set_submit_unix_ms(job.submit_ms);
  wire->set_end_unix_ms(job.end_ms);
  wire->set_held_by(std::string(state::Name(job.hold)));
  wire->set_state_since_unix_ms(job.state_since_ms);
  wire->set_step(StepOf(progress, job));
  wire->set_retries_left(job.retries_left);
  PhasesToWire(seen.core.PhasesAt(job, seen.now_ms), wire->mutable_phases());
  const auto cost = seen.core.CostAt(job, seen.now_ms);
  wire->set_cost_usd_micro(cost.usd_micro);
  wire->set_cost_on_demand_usd_micro(cost.on_demand_usd_micro);
  const state::Attempt* live = job.LiveAttempt();
  if (live != nullptr) {
    wire->set_world_size(live->world_size);
    const auto risk = seen.core.AtRiskAt(job, seen.now_ms);
    if (risk.age_ms >= 0) wire->set_checkpoint_age_ms(risk.age_ms);
    wire->set_at_risk_usd_micro(risk.usd_micro);
  }
  if (job.history == nullptr) return;
  if (job.state == state::JobState::kFailed && !job.history->attempts.empty()) {
    wire->set_infrastructure(!core::BlamesProgram(job.history->attempts.back()));
  }
  wire->set_preemptions(job.history->preemptions);
  wire->set_steps_lost(job.history->steps_lost);
  for (const int64_t recovery_ms : job.history->recoveries_ms) wire->add_recoveries_ms(recovery_ms);
  wire->set_output_digest(job.history->output_digest);
}

// Claims of the tasks that run on a node; what is left is free.
struct Claims {
  int64_t cpus_milli = 0;
  int64_t memory_bytes = 0;
  int64_t gpus = 0;
};

Claims ClaimsOn(const Seen& seen, const state::NodeId& node, v1::Node* wire) {
  Claims claims;
  for (const state::JobId& id : seen.index.live()) {
    const state::Job& job = seen.core.state().jobs.at(id);
    for (const state::Task& task : job.LiveAttempt()->tasks) {
      const bool gone =
          task.phase == state::TaskPhase::kExited || task.phase == state::TaskPhase::kLost;
      if (task.node != node || gone) continue;
      const state::Resources& need = state::NeedOf(*job.spec, *job.LiveAttempt());
      claims.cpus_milli += need.cpus_milli;
      claims.memory_bytes += need.memory_bytes;
      claims.gpus += static_cast<int64_t>(task.gpus.size());
      wire->add_tasks(absl::StrCat(id, "/", task.rank));
    }
  }
  return claims;
}

void CardsToWire(const state::Node& node, const Sessions::GpuMemory& used_bytes, v1::Node* wire) {
  for (const state::Gpu& gpu : node.offer.gpus) {
    v1::NodeGpu* card = wire->add_cards();
    card->set_index(gpu.index);
    card->set_type(gpu.type);
    card->set_memory_bytes(gpu.memory_bytes);
    const auto used = used_bytes.find(gpu.index);
    if (used != used_bytes.end()) card->set_memory_used_bytes(used->second);
  }
}

void NodeStateToWire(const state::Node& node, const Claims& claims, v1::Node* wire) {
  if (!node.up) {
    wire->set_state("lost");
  } else if (node.drained) {
    wire->set_state(claims.cpus_milli > 0 ? "draining" : "drained");
    wire->set_reason(node.drain_reason);
  } else if (node.has_notice) {
    wire->set_state("draining");
    wire->set_reason(absl::StrCat(node.notice.kind, " notice from ", node.notice.source));
  } else {
    wire->set_state("up");
  }
  if (node.has_notice) wire->set_notice_deadline_unix_ms(node.notice.deadline_ms);
}

}  // namespace

v1::JobState StateToWire(state::JobState state) {
  v1::JobState wire = v1::JOB_STATE_UNSPECIFIED;
  const absl::string_view name = state::Name(state);
  v1::JobState_Parse(std::string(name), &wire);
  return wire;
}

v1::TaskId ToWire(const state::TaskKey& task) {
  v1::TaskId wire;
  wire.set_job_id(task.job);
  wire.set_attempt(task.attempt);
  wire.set_rank(task.rank);
  wire.set_token(task.token);
  return wire;
}

v1::Note ToWire(const state::Note& note) {
  v1::Note wire;
  wire.set_unix_ms(note.at_ms);
  wire.set_code(note.code);
  wire.set_text(note.text);
  wire.set_attempt(note.attempt);
  return wire;
}

v1::Job JobToWire(const Seen& seen, const Progress& progress, const state::Job& job) {
  v1::Job wire;
  CommonToWire(seen, progress, job, &wire);
  wire.set_reason(seen.core.Explain(job.id, seen.now_ms));
  auto spec = SpecToWire(*job.spec, job.name);
  if (spec.ok()) {
    *wire.mutable_spec() = *std::move(spec);
  } else {
    DecidingFields(*job.spec, job.name, wire.mutable_spec());
  }
  wire.set_prices_are_examples(PricesAreExamples(seen, job));
  if (job.history == nullptr) return wire;
  GangToWire(seen, job, &wire);
  wire.set_environment_json(job.history->environment);
  for (const state::Attempt& attempt : job.history->attempts) {
    AttemptToWire(seen, progress, job, attempt, wire.add_attempts());
  }
  for (const state::Checkpoint& checkpoint : job.history->checkpoints) {
    CheckpointToWire(checkpoint, wire.add_checkpoints());
  }
  return wire;
}

v1::Job JobToListWire(const Seen& seen, const Progress& progress, const state::Job& job) {
  v1::Job wire;
  CommonToWire(seen, progress, job, &wire);
  DecidingFields(*job.spec, job.name, wire.mutable_spec());
  return wire;
}

v1::Node NodeToWire(const Seen& seen, const Sessions& sessions, const state::Node& node) {
  v1::Node wire;
  const state::NodeOffer& offer = node.offer;
  wire.set_id(offer.id);
  wire.set_name(offer.name);
  wire.set_spot(offer.spot);
  wire.set_provider(offer.provider);
  wire.set_region(offer.region);
  wire.set_zone(offer.zone);
  wire.set_instance_type(offer.instance_type);
  wire.set_price_usd_micro_per_hour(offer.price_usd_micro_per_hour);
  wire.set_on_demand_usd_micro_per_hour(offer.on_demand_usd_micro_per_hour);
  wire.set_version(offer.version);
  wire.set_joined_unix_ms(node.joined_ms);
  wire.set_cost_usd_micro(node.held_usd_micro);
  for (const state::Label& label : offer.labels) {
    v1::Label* to = wire.add_labels();
    to->set_key(label.key);
    to->set_value(label.value);
  }
  const Claims claims = ClaimsOn(seen, offer.id, &wire);
  const int64_t gpus = static_cast<int64_t>(offer.gpus.size());
  wire.set_cpus_milli(offer.cpus_milli);
  wire.set_memory_bytes(offer.memory_bytes);
  wire.set_gpus(static_cast<int32_t>(gpus));
  if (gpus > 0) wire.set_gpu_type(offer.gpus.front().type);
  if (node.up) {
    wire.set_cpus_milli_free(
        static_cast<int32_t>(std::max<int64_t>(0, offer.cpus_milli - claims.cpus_milli)));
    wire.set_memory_bytes_free(std::max<int64_t>(0, offer.memory_bytes - claims.memory_bytes));
    wire.set_gpus_free(static_cast<int32_t>(std::max<int64_t>(0, gpus - claims.gpus)));
  }
  CardsToWire(node, sessions.GpuMemoryOf(offer.id), &wire);
  NodeStateToWire(node, claims, &wire);
  return wire;
}

v1::WantedTask WantedToWire(const state::WantedTask& task) {
  v1::WantedTask wire;
  *wire.mutable_task() = ToWire(task.task);
  switch (task.goal) {
    case state::Goal::kPrepare:
      wire.set_goal(v1::WantedTask::PREPARE);
      break;
    case state::Goal::kRun:
      wire.set_goal(v1::WantedTask::RUN);
      break;
    case state::Goal::kStop:
      wire.set_goal(v1::WantedTask::STOP);
      break;
  }
  wire.set_world_size(task.world_size);
  wire.set_local_rank(task.local_rank);
  wire.set_local_world_size(task.local_world_size);
  wire.set_node_rank(task.node_rank);
  wire.set_nodes(task.nodes);
  wire.mutable_gpus()->Add(task.gpus.begin(), task.gpus.end());
  *wire.mutable_resources() = ToWire(state::NeedOf(*task.spec, task.alternative));
  wire.set_generation(task.generation);
  wire.set_mtbf_ms(task.mtbf_ms);
  for (const state::Peer& peer : task.peers) {
    v1::Peer* to = wire.add_peers();
    to->set_rank(peer.rank);
    to->set_node(peer.node);
    to->set_address(peer.address);
    to->set_port(peer.port);
    to->set_task(peer.task);
  }
  if (!task.resume_name.empty()) {
    wire.mutable_resume()->set_name(task.resume_name);
    wire.mutable_resume()->set_step(task.resume_step);
    wire.mutable_resume()->set_manifest_digest(task.resume_digest);
  }
  wire.set_stop_deadline_unix_ms(task.stop_deadline_ms);
  wire.set_stop_reason(task.stop_reason);
  wire.set_stop_for_good(task.stop_for_good);
  return wire;
}

v1::TaskReport::Stage ToWire(state::TaskStage stage) {
  switch (stage) {
    case state::TaskStage::kPrepared:
      return v1::TaskReport::PREPARED;
    case state::TaskStage::kRunning:
      return v1::TaskReport::RUNNING;
    case state::TaskStage::kFirstStep:
      return v1::TaskReport::FIRST_STEP;
    case state::TaskStage::kExited:
      return v1::TaskReport::EXITED;
    case state::TaskStage::kFailed:
      return v1::TaskReport::FAILED;
  }
  return v1::TaskReport::STAGE_UNSPECIFIED;
}

}  // namespace baton::edge
