#include "tests/scheduler/store/random_values.h"

#include <limits>
#include <utility>

namespace baton::store {

uint64_t RandomValues::Number() {
  switch (random_.Below(5)) {
    case 0:
      return 0;
    case 1:
      return std::numeric_limits<uint64_t>::max() - random_.Below(3);
    case 2:
      return random_.Below(1000);
    case 3:
      return (1ULL << 63) + random_.Below(2);
    default:
      return random_.Next();
  }
}

std::string RandomValues::Text() {
  std::string text;
  const uint64_t size = random_.Below(4) == 0 ? random_.Below(200) : random_.Below(12);
  for (uint64_t i = 0; i < size; ++i) text.push_back(static_cast<char>(random_.Below(256)));
  return text;
}

state::Resources RandomValues::Resources() { return {I32(), I64(), I32(), Text(), I64(), I64()}; }

state::JobSpec RandomValues::Spec() {
  state::JobSpec spec;
  spec.project = Text();
  spec.priority = I32();
  spec.ranks_min = I32();
  spec.ranks_max = I32();
  spec.shards = I32();
  spec.resources = Resources();
  spec.ranks_per_node = I32();
  spec.any_of = Some([this] { return Resources(); });
  spec.retries = I32();
  spec.capacity = Any(state::Capacity::kOnDemand);
  spec.require = Some([this] { return Label(); });
  spec.checkpoints_kept = I32();
  spec.time_limit_ms = I64();
  spec.notice_grace_ms = I64();
  spec.prepare_limit_ms = I64();
  spec.data = Some([this] { return Number(); });
  spec.queue_anyway = Coin();
  spec.from_job = Text();
  spec.from_checkpoint = Text();
  spec.sweep = Text();
  spec.trial = I32();
  spec.wire = Text();
  return spec;
}

state::Task RandomValues::Task() {
  state::Task task;
  task.rank = I32();
  task.node = Text();
  task.phase = Any(state::TaskPhase::kLost);
  task.gpus = Some([this] { return I32(); });
  task.address = Text();
  task.port = I32();
  task.exit_code = I32();
  task.end_ms = I64();
  task.first_step = I64();
  task.first_step_ms = I64();
  task.last_step = I64();
  task.last_step_ms = I64();
  task.setup_ms = I64();
  task.restore_ms = I64();
  task.save_ms = I64();
  task.error = Text();
  task.infrastructure = Coin();
  task.output_digest = Text();
  return task;
}

state::Checkpoint RandomValues::Checkpoint() {
  return {Text(), I64(), I64(), Text(), I64(), I64(), I32(), I32()};
}

state::Phases RandomValues::Phases() {
  return {I64(), I64(), I64(), I64(), I64(), I64(), I64(), I64()};
}

state::Attempt RandomValues::Attempt() {
  state::Attempt attempt;
  attempt.number = I32();
  attempt.token = Number();
  attempt.generation = Number();
  attempt.world_size = I32();
  attempt.tasks = Some([this] { return Task(); });
  attempt.start_ms = I64();
  attempt.start_deadline_ms = I64();
  attempt.running_ms = I64();
  attempt.end_ms = I64();
  attempt.cause = Any(state::EndCause::kPaused);
  attempt.detail = Text();
  attempt.failed_ms = I64();
  attempt.verdict_deadline_ms = I64();
  attempt.stop_deadline_ms = I64();
  attempt.stop_reason = Text();
  attempt.resume_name = Text();
  attempt.resume_step = I64();
  attempt.resume_digest = Text();
  attempt.bad_checkpoint = Text();
  attempt.alternative = I32();
  attempt.phases = Phases();
  return attempt;
}

state::JobHistory RandomValues::History() {
  state::JobHistory history;
  history.attempts = Some([this] { return Attempt(); });
  history.checkpoints = Some([this] { return Checkpoint(); });
  history.phases = Phases();
  history.phases_until_ms = I64();
  history.preemptions = I32();
  history.steps_lost = I64();
  history.recoveries_ms = Some([this] { return I64(); });
  history.pending_loss_ms = I64();
  history.cost_usd_micro = I64();
  history.cost_on_demand_usd_micro = I64();
  history.cost_remainder = I64();
  history.cost_on_demand_remainder = I64();
  history.retried_after = I32();
  history.on_demand_only = Coin();
  history.device_kind = Text();
  history.output_digest = Text();
  history.environment = Text();
  return history;
}

state::Job RandomValues::Job() {
  state::Job job;
  job.id = JobId(Text(), static_cast<uint32_t>(random_.Below(100)));
  job.name = Text();
  job.spec = std::make_shared<const state::JobSpec>(Spec());
  job.submitter = std::make_shared<const state::Submitter>(Submitter());
  job.request_digest = Number();
  job.order = Number();
  job.submit_ms = I64();
  job.end_ms = I64();
  job.state_since_ms = I64();
  job.state = Any(state::JobState::kCancelled);
  job.intent = Any(state::Intent::kFail);
  job.hold = Any(state::Hold::kNoProgress);
  job.retries_left = I32();
  job.reason = Text();
  if (Coin()) job.history = std::make_unique<state::JobHistory>(History());
  return job;
}

state::NodeOffer RandomValues::Offer() {
  state::NodeOffer offer;
  offer.id = Text();
  offer.incarnation = Text();
  offer.name = Text();
  offer.version = Text();
  offer.cpus_milli = I32();
  offer.memory_bytes = I64();
  offer.gpus = Some([this] { return state::Gpu{I32(), Text(), I64()}; });
  offer.disk_free_bytes = I64();
  offer.data_addresses = Some([this] { return Text(); });
  offer.host_id = Text();
  offer.device_kind = Text();
  offer.spot = Coin();
  offer.provider = Text();
  offer.region = Text();
  offer.zone = Text();
  offer.instance_type = Text();
  offer.price_usd_micro_per_hour = I64();
  offer.on_demand_usd_micro_per_hour = I64();
  offer.prices_are_examples = Coin();
  offer.labels = Some([this] { return Label(); });
  offer.cached = Some([this] { return Number(); });
  offer.probe_port = I32();
  return offer;
}

state::Node RandomValues::Node() {
  state::Node node;
  node.offer = Offer();
  node.up = Coin();
  node.drained = Coin();
  node.drain_reason = Text();
  node.has_notice = Coin();
  node.notice = Notice();
  node.joined_ms = I64();
  node.lost_ms = I64();
  node.held_usd_micro = I64();
  node.held_remainder = I64();
  node.held_until_ms = I64();
  node.heard_term = static_cast<uint64_t>(I64());
  node.promised_to = Text();
  node.promised_ranks = I32();
  node.promised_alternative = I32();
  return node;
}

state::Counters RandomValues::Counters() {
  state::Counters counters;
  counters.term = Number();
  counters.next_token = Number();
  counters.next_order = Number();
  counters.now_ms = I64();
  counters.started_ms = I64();
  counters.deleted_usd_micro = I64();
  counters.deleted_remainder = I64();
  for (uint64_t n = random_.Below(4); n > 0; --n) counters.usage[Text()] = {I64(), I64()};
  for (uint64_t n = random_.Below(4); n > 0; --n) counters.losses.push_back({I64(), I64()});
  return counters;
}

state::Config RandomValues::Config() { return {I64(), I64(), I64(), I64(), I64(), I64(), I32()}; }

state::TaskReported RandomValues::TaskReported() {
  state::TaskReported report;
  report.task = TaskKey();
  report.node = Text();
  report.incarnation = Text();
  report.stage = Any(state::TaskStage::kFailed);
  report.at_ms = I64();
  report.exit_code = I32();
  report.error = Text();
  report.first_step = I64();
  report.first_step_ms = I64();
  report.last_step = I64();
  report.last_step_ms = I64();
  report.setup_ms = I64();
  report.restore_ms = I64();
  report.save_ms = I64();
  report.address = Text();
  report.port = I32();
  report.output_digest = Text();
  report.infrastructure = Coin();
  report.bad_checkpoint = Text();
  report.environment = Text();
  return report;
}

state::Event RandomValues::Event(size_t kind) {
  switch (kind) {
    case 0:
      return state::SchedulerStarted{Number()};
    case 1: {
      state::JobsSubmitted event{Text(), Number(), nullptr, {}};
      event.submitter = std::make_shared<const state::Submitter>(Submitter());
      event.jobs = Some([this] {
        return state::NewJob{Text(), Text(), std::make_shared<const state::JobSpec>(Spec())};
      });
      return event;
    }
    case 2:
      return state::JobCancelled{Text(), Text()};
    case 3:
      return state::JobRetried{Text(), Text(), Text()};
    case 4: {
      state::NodeJoined event{Offer(), Some([this] { return TaskReported(); }), {}};
      if (Coin()) event.notice = Notice();
      return event;
    }
    case 5:
      return state::NodeLost{Text(), Text(), Text(), I64(), Some([this] {
                               return state::LastHeard{TaskKey(), I64(), I64(), I64()};
                             })};
    case 6:
      return state::NodeDrained{Text(), Text(), I64()};
    case 7:
      return state::NodeUndrained{Text()};
    case 8:
      return state::NodeNoticed{Text(), Text(), Notice()};
    case 9:
      return state::NoticeWithdrawn{Text(), Text()};
    case 10:
      return TaskReported();
    case 11:
      return state::CheckpointUploaded{TaskKey(), Text(), Text(), I64(), I64(), Text(), I64()};
    case 12:
      return state::TimerFired{};
    case 13:
      return state::JobPaused{Text(), Text()};
    case 14:
      return state::JobResumed{Text(), Text()};
    case 15:
      return state::JobDeleted{Text(), Text()};
    case 20:
      return state::NodesProbed{Some([this] {
        return state::NodeProbes{Text(), Text(), Some([this] {
                                   return state::ProbeResult{Text(), I32(), Text()};
                                 })};
      })};
    case 21:
      return state::NodeCached{Text(), Text(), Some([this] { return Number(); })};
    default:
      return SweepEvent(kind - 16);
  }
}

std::vector<state::Note> RandomValues::Notes() {
  return Some([this] { return state::Note{Text(), I64(), I32(), Text(), Text()}; });
}

state::WantedTask RandomValues::WantedTask() {
  state::WantedTask wanted;
  wanted.task = TaskKey();
  wanted.goal = Any(state::Goal::kStop);
  wanted.spec = std::make_shared<const state::JobSpec>(Spec());
  wanted.world_size = I32();
  wanted.local_rank = I32();
  wanted.local_world_size = I32();
  wanted.node_rank = I32();
  wanted.nodes = I32();
  wanted.gpus = Some([this] { return I32(); });
  wanted.generation = Number();
  wanted.peers = Some([this] { return state::Peer{I32(), Text(), Text(), I32()}; });
  wanted.resume_name = Text();
  wanted.resume_step = I64();
  wanted.resume_digest = Text();
  wanted.stop_deadline_ms = I64();
  wanted.stop_reason = Text();
  wanted.stop_for_good = Coin();
  return wanted;
}

state::Effect RandomValues::Effect() {
  switch (random_.Below(6)) {
    case 5:
      return state::ProbeNodes{Text(), Text(), Some([this] {
                                 return state::ProbeTarget{Text(), Text(), I32()};
                               })};
    case 3:
      return state::SuggestTrial{Text(), I32()};
    case 4:
      return state::ReadTrial{Text(), I32(), Text()};
    case 0:
      return state::SendWanted{Text(), Text(), Some([this] { return WantedTask(); })};
    case 1:
      return state::AckCheckpoint{Text(), TaskKey(), Text(), Coin(), Text()};
    default:
      return state::AckReport{Text(), TaskKey(), Any(state::TaskStage::kFailed)};
  }
}

state::Outputs RandomValues::Outputs() {
  state::Outputs outputs;
  if (Coin()) outputs.reply = absl::InvalidArgumentError(Text());
  outputs.job_ids = Some([this] { return Text(); });
  outputs.effects = Some([this] { return Effect(); });
  outputs.notes = Notes();
  return outputs;
}

}  // namespace baton::store
