#include <algorithm>

#include "absl/strings/str_cat.h"
#include "scheduler/core/exits.h"
#include "scheduler/core/fence.h"
#include "scheduler/core/machine.h"
#include "scheduler/policy/hazard.h"

namespace baton::core {

using state::Attempt;
using state::EndCause;
using state::Job;
using state::Node;
using state::NodeId;
using state::Task;
using state::TaskPhase;

absl::Status Machine::On(const state::NodeJoined& event) {
  const state::NodeOffer& offer = event.offer;
  if (offer.id.empty() || offer.incarnation.empty()) {
    return absl::InvalidArgumentError("a hello without node id or incarnation");
  }
  const auto it = state_.nodes.find(offer.id);
  const bool up = it != state_.nodes.end() && it->second.up;
  const bool same = up && it->second.offer.incarnation == offer.incarnation;
  if (up && !same) LoseNode(&it->second, "its worker was started again", {});
  Join(event);
  AdoptTasks(event, same);
  Touch(offer.id);
  return absl::OkStatus();
}

void Machine::Join(const state::NodeJoined& event) {
  const state::NodeOffer& offer = event.offer;
  auto [it, added] = state_.nodes.try_emplace(offer.id);
  Node& node = it->second;
  const bool was_up = node.up;
  const bool same = !added && node.offer.incarnation == offer.incarnation;
  const bool same_way = was_up && SameWay(node.offer, offer);
  if (added || !(node.offer == offer)) {
    if (!added) fleet_.Remove(offer.id);
    node.offer = offer;
    fleet_.Add(&node);
    for (const auto& [job_id, rank] : tasks_on_[offer.id]) {
      const Job& job = state_.jobs.at(job_id);
      const state::Attempt& attempt = *job.LiveAttempt();
      const Task& task = attempt.tasks[static_cast<size_t>(rank)];
      fleet_.Take(offer.id, state::NeedOf(*job.spec, attempt), task.gpus);
    }
    if (!node.promised_to.empty()) {
      fleet_.SetPromise(offer.id, state_.jobs.at(node.promised_to).spec);
    }
  }
  node.up = true;
  node.heard_term = state_.counters.term;
  if (!was_up || !same) node.joined_ms = now_ms_;
  if (!was_up) node.has_notice = false;
  MarkNode(node);
  JoinReach(node, !same_way);
  fleet_.Refresh(offer.id);
  queue_.Unblock(*fleet_.Find(offer.id));
  if (event.notice.has_value()) SetNotice(&node, *event.notice);
}

void Machine::AdoptTasks(const state::NodeJoined& event, bool same_incarnation) {
  const NodeId& id = event.offer.id;
  std::set<std::pair<state::JobId, int32_t>> told;
  for (state::TaskReported report : event.tasks) {
    report.node = id;
    report.incarnation = event.offer.incarnation;
    const auto fenced = Fence(state_, report.task, id, report.incarnation);
    if (fenced.ok()) {
      told.insert({report.task.job, report.task.rank});
      Apply(report, fenced->job, fenced->task);
    }
    out_.effects.push_back(
        state::AckReport{.node = id, .task = report.task, .stage = report.stage});
  }
  if (!same_incarnation) return;
  // What ran and is no longer known there has ended unheard. What had not begun will be begun.
  const auto here = tasks_on_[id];
  for (const auto& [job_id, rank] : here) {
    if (told.count({job_id, rank}) != 0) continue;
    Job& job = state_.jobs.at(job_id);
    Attempt* attempt = job.LiveAttempt();
    if (attempt == nullptr) continue;
    Task& task = attempt->tasks[static_cast<size_t>(rank)];
    if (task.phase != TaskPhase::kRunning) continue;
    LoseTask(&job, &task, absl::StrCat("the worker on ", NodeName(id), " no longer has it"));
  }
}

absl::Status Machine::On(const state::NodeCached& event) {
  const auto it = state_.nodes.find(event.node);
  if (it == state_.nodes.end() || !it->second.up ||
      it->second.offer.incarnation != event.incarnation) {
    return absl::OkStatus();
  }
  if (it->second.offer.cached == event.cached) return absl::OkStatus();
  it->second.offer.cached = event.cached;
  fleet_.Refresh(event.node);
  MarkNode(it->second);
  return absl::OkStatus();
}

absl::Status Machine::On(const state::NodeLost& event) {
  const auto it = state_.nodes.find(event.node);
  // The first word decides: a later one, or one about an earlier incarnation, is no news.
  if (it == state_.nodes.end() || !it->second.up ||
      it->second.offer.incarnation != event.incarnation) {
    return absl::OkStatus();
  }
  LoseNode(&it->second, event.cause, event.tasks);
  return absl::OkStatus();
}

void Machine::LoseNode(Node* node, const std::string& cause,
                       const std::vector<state::LastHeard>& heard) {
  const NodeId id = node->offer.id;
  for (const state::LastHeard& last : heard) {
    const auto fenced = Fence(state_, last.task, id, node->offer.incarnation);
    if (!fenced.ok() || fenced->task->phase == TaskPhase::kExited) continue;
    state::TaskReported progress;
    progress.task = last.task;
    progress.last_step = last.step;
    progress.last_step_ms = last.step_ms;
    progress.save_ms = last.save_ms;
    progress.at_ms = last.step_ms;
    RecordProgress(progress, fenced->job, fenced->task);
  }
  node->up = false;
  node->lost_ms = now_ms_;
  // What its operator has drained was let go.
  policy::CountLife(node->offer.spot, now_ms_ - node->joined_ms, !node->drained,
                    &state_.counters.losses);
  MarkNode(*node);
  LeaveReach(id);
  fleet_.Refresh(id);
  const auto here = tasks_on_[id];
  for (const auto& [job_id, rank] : here) {
    Job& job = state_.jobs.at(job_id);
    Task& task = job.LiveAttempt()->tasks[static_cast<size_t>(rank)];
    task.error = absl::StrCat("node ", NodeName(id), " was lost: ", cause);
    task.exit_code = kExitUnknown;
    EndTask(&job, &task, TaskPhase::kLost, now_ms_);
  }
  std::set<state::JobId> jobs;
  for (const auto& [job_id, rank] : here) jobs.insert(job_id);
  for (const state::JobId& job_id : jobs) {
    OnTasksLost(&state_.jobs.at(job_id), absl::StrCat("node ", NodeName(id), " was lost: ", cause));
  }
  SettleVerdicts(*node, EndCause::kNodeLost);
}

void Machine::OnTasksLost(Job* job, const std::string& why) {
  Attempt& attempt = *job->LiveAttempt();
  if (attempt.cause == EndCause::kNone) {
    attempt.cause = EndCause::kNodeLost;
    attempt.detail = why;
  }
  if (attempt.failed_ms == 0 && attempt.stop_deadline_ms == 0) attempt.failed_ms = now_ms_;
  Say(*job, "node-lost", why);
  StopPeers(job, "a peer was lost");
}

// A node that goes down soon after an attempt failed on it explains the failure.
void Machine::SettleVerdicts(const Node& node, EndCause cause) {
  const std::set<state::JobId> undecided = undecided_;
  for (const state::JobId& job_id : undecided) {
    Job& job = state_.jobs.at(job_id);
    for (Attempt& attempt : job.history->attempts) {
      const bool open = attempt.verdict_deadline_ms != 0 &&
                        now_ms_ <= Effective(attempt.verdict_deadline_ms) &&
                        attempt.end_ms >= node.joined_ms;
      if (!open) continue;
      const bool was_there =
          std::any_of(attempt.tasks.begin(), attempt.tasks.end(),
                      [&](const Task& task) { return task.node == node.offer.id; });
      if (was_there) CloseVerdict(&job, &attempt, cause);
    }
  }
}

void Machine::VacateNode(const Node& node, int64_t deadline_ms, const std::string& reason) {
  std::set<state::JobId> jobs;
  for (const auto& [job_id, rank] : tasks_on_[node.offer.id]) jobs.insert(job_id);
  for (const state::JobId& job_id : jobs) {
    Job& job = state_.jobs.at(job_id);
    Say(job, "notice",
        absl::StrCat(reason, ": all ranks are told to save and stop within ",
                     (deadline_ms - now_ms_ + 999) / 1000, " s"));
    Stop(&job, {.intent = state::Intent::kRequeue,
                .cause = EndCause::kPreempted,
                .deadline_ms = deadline_ms,
                .reason = reason});
  }
}

absl::Status Machine::On(const state::NodeDrained& event) {
  const auto it = state_.nodes.find(event.node);
  if (it == state_.nodes.end()) {
    return absl::NotFoundError(absl::StrCat("no node ", event.node, " is known"));
  }
  Node& node = it->second;
  node.drained = true;
  node.drain_reason = event.reason;
  MarkNode(node);
  fleet_.Refresh(event.node);
  const int64_t grace_ms = event.grace_ms > 0 ? event.grace_ms : state_.config.drain_grace_ms;
  std::string reason = absl::StrCat("node ", NodeName(event.node), " is drained");
  if (!event.reason.empty()) absl::StrAppend(&reason, " (", event.reason, ")");
  VacateNode(node, now_ms_ + grace_ms, reason);
  return absl::OkStatus();
}

absl::Status Machine::On(const state::NodeUndrained& event) {
  const auto it = state_.nodes.find(event.node);
  if (it == state_.nodes.end()) {
    return absl::NotFoundError(absl::StrCat("no node ", event.node, " is known"));
  }
  if (!it->second.drained) return absl::OkStatus();
  it->second.drained = false;
  it->second.drain_reason.clear();
  MarkNode(it->second);
  fleet_.Refresh(event.node);
  queue_.Unblock(*fleet_.Find(event.node));
  return absl::OkStatus();
}

absl::Status Machine::On(const state::NodeNoticed& event) {
  const auto it = state_.nodes.find(event.node);
  const bool current = it != state_.nodes.end() && it->second.up &&
                       it->second.offer.incarnation == event.incarnation;
  if (!current) {
    return absl::FailedPreconditionError("the notice is not of the node's live incarnation");
  }
  SetNotice(&it->second, event.notice);
  return absl::OkStatus();
}

void Machine::SetNotice(Node* node, const state::Notice& notice) {
  node->has_notice = true;
  node->notice = notice;
  MarkNode(*node);
  fleet_.Refresh(node->offer.id);
  if (!notice.certain) return;
  // A deadline that has passed already: the node may go at any moment, and a second is worth
  // trying.
  constexpr int64_t kLeastMs = 1'000;
  const int64_t deadline_ms = notice.deadline_ms == 0
                                  ? now_ms_ + state_.config.drain_grace_ms
                                  : std::max(notice.deadline_ms, now_ms_ + kLeastMs);
  VacateNode(*node, deadline_ms,
             absl::StrCat("node ", NodeName(node->offer.id), " has a notice (", notice.source, ", ",
                          notice.kind, ")"));
  SettleVerdicts(*node, EndCause::kPreempted);
}

absl::Status Machine::On(const state::NoticeWithdrawn& event) {
  const auto it = state_.nodes.find(event.node);
  const bool current = it != state_.nodes.end() && it->second.up &&
                       it->second.offer.incarnation == event.incarnation;
  if (!current) {
    return absl::FailedPreconditionError("the notice is not of the node's live incarnation");
  }
  if (!it->second.has_notice) return absl::OkStatus();
  it->second.has_notice = false;
  it->second.notice = {};
  MarkNode(it->second);
  fleet_.Refresh(event.node);
  queue_.Unblock(*fleet_.Find(event.node));
  return absl::OkStatus();
}

}  // namespace baton::core
