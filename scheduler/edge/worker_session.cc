#include "scheduler/edge/worker_session.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "scheduler/edge/checkpoint_check.h"
#include "scheduler/edge/fleet_wire.h"
#include "scheduler/edge/from_wire.h"
#include "scheduler/edge/task_extras.h"
#include "scheduler/edge/to_wire.h"

namespace baton::edge {
namespace {

constexpr size_t kChunkBytesMax = 64 << 10;
constexpr int64_t kHeartbeatMsMax = 1'000;
constexpr size_t kKnownTasksMax = 100'000;
constexpr int kGpusMax = 1'024;  // more than a node may offer

// Whether the job has, or had, this attempt with this token and this rank.
bool KnowsTask(const state::State& state, const state::TaskKey& task) {
  const auto job = state.jobs.find(task.job);
  if (job == state.jobs.end() || job->second.history == nullptr) return false;
  for (const state::Attempt& attempt : job->second.history->attempts) {
    if (attempt.number != task.attempt) continue;
    return attempt.token == task.token && task.rank >= 0 &&
           task.rank < static_cast<int32_t>(attempt.tasks.size());
  }
  return false;
}

bool HasAck(const state::Outputs& outputs) {
  return std::any_of(outputs.effects.begin(), outputs.effects.end(), [](const state::Effect& e) {
    return std::holds_alternative<state::AckReport>(e);
  });
}

}  // namespace

WorkerSession::WorkerSession(const Parts& parts, std::string certified,
                             std::shared_ptr<Outbox> outbox)
    : parts_(parts), certified_(std::move(certified)), outbox_(std::move(outbox)) {}

void WorkerSession::OnMessage(v1::WorkerMessage message, const std::function<void()>& read_on) {
  if (node_.empty()) {
    if (message.has_hello()) {
      OnHello(message.hello());
    } else {
      outbox_->Refuse("the first message must be a hello");
    }
    read_on();
    return;
  }
  if (!parts_.sessions.Heard(node_, *outbox_, parts_.clock.MonotonicMillis(),
                             parts_.clock.UnixMillis())) {
    outbox_->Cut("this session is over; say hello again");
    read_on();
    return;
  }
  switch (message.message_case()) {
    case v1::WorkerMessage::kChunk:
      OnChunk(std::move(*message.mutable_chunk()), read_on);
      return;
    case v1::WorkerMessage::kHello:
      outbox_->Refuse("a second hello in one session");
      break;
    case v1::WorkerMessage::kHeartbeat:
      OnHeartbeat(message.heartbeat());
      break;
    case v1::WorkerMessage::kTask:
      OnTask(message.task());
      break;
    case v1::WorkerMessage::kCheckpoint:
      OnCheckpoint(message.checkpoint());
      break;
    case v1::WorkerMessage::kNotice:
      OnNotice(message.notice());
      break;
    case v1::WorkerMessage::kProbes:
      OnProbes(message.probes());
      break;
    case v1::WorkerMessage::kRendezvous:
      OnRendezvous(message.rendezvous());
      break;
    case v1::WorkerMessage::kGoodbye:
      OnGoodbye(message.goodbye());
      break;
    case v1::WorkerMessage::MESSAGE_NOT_SET:
      break;  // of a newer protocol: nothing that this one needs
  }
  read_on();
}

void WorkerSession::OnEnd() {
  if (ended_.exchange(true) || node_.empty()) return;
  parts_.sessions.Broken(node_, *outbox_, parts_.clock.MonotonicMillis());
}

absl::Status WorkerSession::CheckHello(const v1::Hello& hello) const {
  if (hello.protocol_max() < kProtocolMin || hello.protocol_min() > kProtocolMax) {
    return absl::FailedPreconditionError(
        absl::StrCat("the worker speaks protocol ", hello.protocol_min(), " to ",
                     hello.protocol_max(), ", this scheduler (", kVersion, ") ", kProtocolMin,
                     " to ", kProtocolMax, "; install the same version of both"));
  }
  if (!hello.cluster_id().empty() && hello.cluster_id() != parts_.facts.cluster_id) {
    return absl::FailedPreconditionError(
        absl::StrCat("the worker belongs to cluster ", hello.cluster_id(), ", this scheduler is ",
                     parts_.facts.cluster_id, "; give the worker a folder of its own"));
  }
  if (!certified_.empty() && hello.node_id() != certified_) {
    return absl::PermissionDeniedError(
        "the worker's certificate is another node's; remove the folder tls in its --dir and join "
        "it "
        "anew (`baton join`)");
  }
  if (hello.term_seen() > parts_.facts.term) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the worker has served term ", hello.term_seen(), ", this scheduler is at term ",
        parts_.facts.term, ": it is an older one, or runs on an older copy of its folder"));
  }
  return absl::OkStatus();
}

void WorkerSession::OnHello(const v1::Hello& hello) {
  const absl::Status fits = CheckHello(hello);
  auto joined = JoinFromWire(hello);
  if (!fits.ok() || !joined.ok()) {
    const absl::Status& why = fits.ok() ? joined.status() : fits;
    LogWarning(absl::StrCat("worker ", hello.name().substr(0, 128), " refused: ", why.message()));
    outbox_->Refuse(std::string(why.message()));
    return;
  }
  node_ = hello.node_id();
  incarnation_ = hello.incarnation();
  parts_.sessions.Hello(node_, incarnation_, outbox_, parts_.clock.MonotonicMillis(),
                        parts_.clock.UnixMillis());
  if (ended_) OnEnd();
  // The former stream's waits have nobody to answer to; the worker asks again on this one.
  parts_.rendezvous.DropWaits(node_);
  parts_.probes.Forget(node_);
  Post(*std::move(joined), [self = shared_from_this()](const Seen& seen) -> Release {
    if (!seen.outputs->reply.ok()) {
      return
          [self, why = std::string(seen.outputs->reply.message())] { self->outbox_->Refuse(why); };
    }
    return [self, wanted = seen.core.Wanted(self->node_)]() mutable {
      v1::Welcome welcome;
      const ServerFacts& facts = self->parts_.facts;
      welcome.set_term(facts.term);
      welcome.set_lease_ms(facts.lease_ms);
      welcome.set_heartbeat_ms(std::min(kHeartbeatMsMax, std::max<int64_t>(1, facts.lease_ms / 5)));
      welcome.set_cluster_id(facts.cluster_id);
      welcome.set_server_unix_ms(self->parts_.clock.UnixMillis());
      self->parts_.sessions.Activate(self->node_, self->outbox_, welcome, std::move(wanted));
    };
  });
}

void WorkerSession::OnHeartbeat(const v1::Heartbeat& heartbeat) {
  for (const v1::TaskProgress& progress : heartbeat.progress()) {
    const state::TaskKey task = TaskFromWire(progress.task());
    if (!outbox_->Wants(task.job, task.token)) continue;
    const bool further = parts_.progress.Update({.task = task,
                                                 .step = progress.step(),
                                                 .step_ms = progress.step_unix_ms(),
                                                 .save_ms = progress.save_ms()});
    if (further) parts_.watches.Changed(task.job);
  }
  if (heartbeat.cached_changed()) {
    Post(
        state::NodeCached{
            .node = node_, .incarnation = incarnation_, .cached = DataKeys(heartbeat.cached())},
        nullptr);
  }
  if (heartbeat.gpus_size() == 0 || heartbeat.gpus_size() > kGpusMax) return;
  Sessions::GpuMemory used_bytes;
  for (const v1::GpuUse& gpu : heartbeat.gpus()) {
    if (gpu.memory_used_bytes() < 0 || !gpu.has_memory_used_bytes()) continue;
    used_bytes[gpu.index()] = gpu.memory_used_bytes();
  }
  parts_.sessions.SetGpuMemory(node_, *outbox_, std::move(used_bytes));
}

// Reports are repeated after a reconnect: a scheduler that is too busy to take one ends the stream.
void WorkerSession::Post(state::Event event, View view) {
  const absl::Status posted =
      parts_.driver.Post(Driver::Source::kWorker, std::move(event), std::move(view));
  if (!posted.ok()) outbox_->Cut(std::string(posted.message()));
}

void WorkerSession::AckReport(const v1::TaskId& task, v1::TaskReport::Stage stage) {
  v1::SchedulerMessage message;
  *message.mutable_report_ack()->mutable_task() = task;
  message.mutable_report_ack()->set_stage(stage);
  outbox_->Push(std::move(message));
}

void WorkerSession::OnTask(const v1::TaskReport& report) {
  auto event = ReportFromWire(report, node_, incarnation_);
  if (!event.ok()) {
    LogWarning(absl::StrCat("a report of node ", node_, " is dropped: ", event.status().message()));
    AckReport(report.task(), report.stage());
    return;
  }
  const absl::Status fetched = outbox_->Wants(report.task().job_id(), report.task().token())
                                   ? TakeFetched(parts_, report)
                                   : absl::OkStatus();
  if (absl::IsFailedPrecondition(fetched)) {
    if (event->stage == state::TaskStage::kPrepared) event->stage = state::TaskStage::kFailed;
    event->error = std::string(fetched.message());
  } else if (!fetched.ok()) {
    return outbox_->Cut(std::string(fetched.message()));
  }
  if (report.has_ends()) {
    store::StreamKey key{.job = report.task().job_id(),
                         .attempt = report.task().attempt(),
                         .rank = report.task().rank()};
    parts_.stream_ends.Set(key, report.ends().log_bytes());
    key.metrics = true;
    parts_.stream_ends.Set(key, report.ends().metrics_bytes());
  }
  Post(*std::move(event),
       [self = shared_from_this(), task = report.task(),
        stage = report.stage()](const Seen& seen) -> Release {
         // What the core refuses (an older token) will not be taken later either.
         if (seen.outputs->reply.ok() || HasAck(*seen.outputs)) return nullptr;
         return [self, task, stage] { self->AckReport(task, stage); };
       });
}

void WorkerSession::RefuseCheckpoint(const v1::CheckpointReport& report, const absl::Status& why) {
  v1::SchedulerMessage message;
  v1::CheckpointAck* ack = message.mutable_checkpoint_ack();
  *ack->mutable_task() = report.task();
  ack->set_name(report.name());
  ack->set_refusal(std::string(why.message()));
  outbox_->Push(std::move(message));
}

// The check reads files, so it runs on a thread that may wait.
void WorkerSession::OnCheckpoint(const v1::CheckpointReport& report) {
  const absl::Status queued = parts_.work.Run([self = shared_from_this(), report] {
    auto event = CheckpointFromWire(report, self->node_);
    absl::Status whole = event.status();
    if (whole.ok()) whole = CheckWhole(self->parts_.artifacts, event->manifest_digest);
    if (!whole.ok()) {
      self->RefuseCheckpoint(report, whole);
      return;
    }
    self->Post(*std::move(event), [self, report](const Seen& seen) -> Release {
      const state::Outputs& outputs = *seen.outputs;
      const bool told = std::any_of(
          outputs.effects.begin(), outputs.effects.end(),
          [](const state::Effect& e) { return std::holds_alternative<state::AckCheckpoint>(e); });
      if (outputs.reply.ok() || told) return nullptr;
      return [self, report, why = outputs.reply] { self->RefuseCheckpoint(report, why); };
    });
  });
  if (!queued.ok()) outbox_->Cut(std::string(queued.message()));
}

void WorkerSession::OnNotice(const v1::NoticeReport& report) {
  if (report.withdrawn()) {
    Post(state::NoticeWithdrawn{.node = node_, .incarnation = incarnation_}, nullptr);
  } else {
    Post(
        state::NodeNoticed{
            .node = node_, .incarnation = incarnation_, .notice = NoticeFromWire(report)},
        nullptr);
  }
}

// Gathered: a fleet that comes up tells of each of its pairs.
void WorkerSession::OnProbes(const v1::ProbeReport& report) {
  parts_.probes.Add(node_, incarnation_, ProbesFromWire(report));
}

void WorkerSession::OnRendezvous(const v1::RendezvousRequest& request) {
  const auto standing = outbox_->StandingOf(request.task().job_id(), request.task().token());
  if (standing.has_value()) {
    if (!parts_.rendezvous.Handle(node_, request, *standing)) return;
    const state::TaskKey task = TaskFromWire(request.task());
    if (request.op() == v1::RendezvousRequest::READY) {
      Post(state::MemberReady{.task = task, .node = node_, .incarnation = incarnation_}, nullptr);
    } else {
      Post(state::LossReported{.task = task,
                               .node = node_,
                               .incarnation = incarnation_,
                               .generation = request.generation(),
                               .lost_rank = request.lost_rank()},
           nullptr);
    }
    return;
  }
  v1::SchedulerMessage message;
  *message.mutable_rendezvous()->mutable_task() = request.task();
  message.mutable_rendezvous()->set_id(request.id());
  message.mutable_rendezvous()->set_error("the task is not wanted any more");
  outbox_->Push(std::move(message));
}

void WorkerSession::OnGoodbye(const v1::Goodbye& goodbye) {
  ended_ = true;
  state::NodeLost lost = parts_.sessions.Leave(
      node_, *outbox_, absl::StrCat("worker ended: ", goodbye.reason().substr(0, 1024)));
  Post(std::move(lost), [self = shared_from_this()](const Seen&) -> Release {
    return [self] { self->outbox_->Cut("goodbye"); };
  });
}

void WorkerSession::OnChunk(v1::StreamChunk chunk, const std::function<void()>& read_on) {
  if (chunk.data().size() > kChunkBytesMax || chunk.offset() < 0) {
    outbox_->Refuse("a piece of a log is longer than 64 KiB, or its offset is negative");
    read_on();
    return;
  }
  const state::TaskKey task = TaskFromWire(chunk.task());
  const KnownTask key{task.job, task.attempt, task.rank, task.token};
  bool known = false;
  bool asked = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto it = known_tasks_.find(key);
    asked = it != known_tasks_.end();
    known = asked && it->second;
  }
  if (known) {
    Store(std::move(chunk), read_on);
    return;
  }
  if (asked) {
    // Bytes of a task that never was: nobody can ask for them.
    outbox_->AckStream(chunk.task(), chunk.metrics(),
                       chunk.offset() + static_cast<int64_t>(chunk.data().size()));
    read_on();
    return;
  }
  const auto self = shared_from_this();
  const absl::Status posted = parts_.driver.Read(
      Driver::Source::kWorker,
      [self, key, task, chunk = std::move(chunk), read_on](const Seen& seen) -> Release {
        const bool knows = KnowsTask(seen.core.state(), task);
        return [self, key, knows, chunk, read_on] {
          {
            std::lock_guard<std::mutex> lock(self->mutex_);
            if (self->known_tasks_.size() >= kKnownTasksMax) self->known_tasks_.clear();
            self->known_tasks_[key] = knows;
          }
          self->OnChunk(chunk, read_on);
        };
      });
  if (posted.ok()) return;
  outbox_->Cut(std::string(posted.message()));
  read_on();
}

void WorkerSession::Store(v1::StreamChunk chunk, const std::function<void()>& read_on) {
  const auto self = shared_from_this();
  // While nothing is read from the worker, its silence is not its fault. Set before the push: the
  // writer may find room again at once.
  const auto resume = [self, read_on] {
    self->parts_.sessions.Pause(self->node_, *self->outbox_, false,
                                self->parts_.clock.MonotonicMillis());
    read_on();
  };
  parts_.sessions.Pause(node_, *outbox_, true, parts_.clock.MonotonicMillis());
  if (parts_.journal_writer.Push({.wire = std::move(chunk), .from = outbox_}, resume)) resume();
}

}  // namespace baton::edge
