#include "worker/core/agent.h"

#include <algorithm>
#include <utility>

namespace baton::worker {
namespace {

constexpr size_t kPastMax = 4096;
constexpr int32_t kCodeStopped = -15;  // as if ended by SIGTERM

}  // namespace

std::vector<Effect> Agent::Step(const Event& event, Now now) {
  effects_.clear();
  std::visit([this, now](const auto& e) { On(e, now); }, event);
  StartDue(now);
  ApplyStops(now);
  EndHung(now);
  ForgetEnded();
  Heartbeat(now);
  FinishIfDone(now);
  return std::exchange(effects_, {});
}

AgentTask* Agent::Find(const TaskKey& key) {
  const auto at = tasks_.find(key);
  return at == tasks_.end() ? nullptr : &at->second;
}

void Agent::On(const LinkUp&, Now now) {
  link_up_ = true;
  heartbeat_sent_ms_ = now.steady_ms;
  SendHello hello;
  hello.term_seen = term_;
  for (const auto& [key, task] : tasks_) {
    if (task.report.stage != Stage::kNone) hello.tasks.push_back(task.report);
  }
  hello.has_notice = notices_.gravest().has_value();
  if (hello.has_notice) hello.notice = *notices_.gravest();
  Emit(std::move(hello));
}

void Agent::On(const LinkLost&, Now now) {
  if (welcome_) lost_ms_ = now.steady_ms;
  link_up_ = welcome_ = false;
}

// False, and the line is hung up, for a scheduler that another one has succeeded.
bool Agent::AcceptTerm(uint64_t term) {
  if (term < term_) {
    Emit(HangUp{"the scheduler speaks for term " + std::to_string(term) + ", but term " +
                std::to_string(term_) + " has begun"});
    return false;
  }
  if (term > term_) sequence_ = 0;
  term_ = term;
  return true;
}

void Agent::On(const Welcomed& welcomed, Now now) {
  if (!AcceptTerm(welcomed.term)) return;
  welcomed_ms_ = now.steady_ms;
  welcome_ = was_welcome_ = true;
  detached_.reset();
  if (welcomed.heartbeat_ms > 0) heartbeat_ms_ = welcomed.heartbeat_ms;
  for (const auto& [key, task] : tasks_) {
    for (const auto& [name, checkpoint] : task.unacked) Emit(SendCheckpoint{checkpoint});
  }
}

void Agent::On(const WantedSet& set, Now now) {
  if (!AcceptTerm(set.term) || set.sequence < sequence_) return;
  sequence_ = set.sequence;
  for (auto& [key, task] : tasks_) task.is_wanted = false;
  for (const Wanted& wanted : set.tasks) {
    if (AgentTask* task = Find(wanted.key)) {
      task->is_wanted = true;
      Update(*task, wanted, now);
    } else if (past_.count(wanted.key) == 0) {
      Adopt(wanted, now);
    }
  }
  for (auto& [key, task] : tasks_) {
    if (!task.is_wanted) Discard(task, now);
  }
}

void Agent::Adopt(const Wanted& wanted, Now now) {
  AgentTask& task = tasks_[wanted.key];
  task.wanted = wanted;
  task.report.key = wanted.key;
  if (wanted.goal == Goal::kStop) return EndBeforeStart(task, now);
  if (wanted.spec == nullptr) {
    return Fail(task, {wanted.key, "the scheduler named the task without its spec", true, ""}, now);
  }
  if (shutdown_.has_value()) {
    return Fail(task, {wanted.key, "the worker is shutting down", true, ""}, now);
  }
  Emit(Prepare{wanted});
}

void Agent::Update(AgentTask& task, const Wanted& wanted, Now now) {
  std::shared_ptr<const TaskSpec> spec = task.wanted.spec;
  // A stop without a time keeps the one that it was given when it was first seen.
  const bool was_stopping = task.wanted.goal == Goal::kStop;
  const int64_t old_deadline_ms = task.wanted.stop_deadline_ms;
  task.wanted = wanted;
  if (task.wanted.spec == nullptr) task.wanted.spec = std::move(spec);
  if (wanted.goal == Goal::kStop && wanted.stop_deadline_ms == 0) {
    task.wanted.stop_deadline_ms =
        was_stopping ? old_deadline_ms : now.unix_ms + task.wanted.spec->notice_grace_ms;
  }
  Regroup(task);
  if (task.phase == Phase::kPrepared && wanted.goal == Goal::kRun) StartPrepared(task, now);
  if (task.phase == Phase::kPrepared && wanted.goal == Goal::kStop) EndBeforeStart(task, now);
  if (task.phase == Phase::kPreparing && wanted.goal == Goal::kStop && !task.killed) {
    task.killed = true;
    Emit(Kill{wanted.key});
  }
}

// A stop of the whole gang names no members: its generation is of no use to anybody.
void Agent::Regroup(AgentTask& task) {
  if (task.phase != Phase::kStarting && task.phase != Phase::kRunning) return;
  if (task.wanted.generation <= task.generation || task.wanted.peers.empty()) return;
  task.generation = task.wanted.generation;
  Emit(worker::Regroup{task.wanted});
}

// The scheduler wants it no more, and nothing more of it.
void Agent::Discard(AgentTask& task, Now now) {
  task.unacked.clear();
  switch (task.phase) {
    case Phase::kPrepared:
      EndBeforeStart(task, now);
      break;
    case Phase::kPreparing:
    case Phase::kStarting:
    case Phase::kRunning:
      if (!task.killed) Emit(Kill{task.wanted.key});
      task.killed = true;
      break;
    case Phase::kCollecting:
      if (!task.collected) Emit(Collect{task.wanted.key, now.unix_ms, false});
      EndIfComplete(task, now);
      break;
    case Phase::kEnded:
      break;
  }
}

void Agent::On(const ReportAcked& ack, Now) {
  AgentTask* task = Find(ack.key);
  if (task != nullptr && task->report.stage == ack.stage) task->acked = true;
}

void Agent::On(const CheckpointAcked& ack, Now now) {
  AgentTask* task = Find(ack.key);
  if (task == nullptr || task->unacked.erase(ack.name) == 0) return;
  Emit(RemoveCheckpoint{ack.key, ack.name, ack.committed ? "" : ack.refusal});
  EndIfComplete(*task, now);
}

void Agent::EndBeforeStart(AgentTask& task, Now now) {
  task.report.exit_code = kCodeStopped;
  task.report.error = "stopped before it was started";
  task.phase = Phase::kEnded;
  Tell(task, Stage::kExited, now.unix_ms);
}

// A task that nobody waits for is forgotten once told; the others once the scheduler has said that
// it knows.
void Agent::ForgetEnded() {
  for (auto at = tasks_.begin(); at != tasks_.end();) {
    const AgentTask& task = at->second;
    if (task.phase != Phase::kEnded || (task.is_wanted && !task.acked)) {
      ++at;
      continue;
    }
    Emit(Forget{at->first});
    past_.insert(at->first);
    past_order_.push_back(at->first);
    at = tasks_.erase(at);
  }
  while (past_order_.size() > kPastMax) {
    past_.erase(past_order_.front());
    past_order_.pop_front();
  }
}

}  // namespace baton::worker
