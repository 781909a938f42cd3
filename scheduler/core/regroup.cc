// A gang that goes on without those that it has lost: who they are, and the next generation.
#include "scheduler/policy/regroup.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "scheduler/core/exits.h"
#include "scheduler/core/ledger.h"
#include "scheduler/core/machine.h"

namespace baton::core {
namespace {

using state::Attempt;
using state::Job;
using state::JobState;
using state::Task;
using state::TaskPhase;

// From the first accusation on. The exit of a task is told at about the same time as its peers miss
// it, and says more: so long it is waited for. After the longer time what has been said decides.
constexpr int64_t kExitToldMs = 200;
constexpr int64_t kJudgeMs = 1'000;
// For one that is no longer needed: its step ends with the others'.
constexpr int64_t kLeaveMs = 120'000;
constexpr int32_t kBarrenMax = 3;
constexpr size_t kLossesKept = 256;

policy::Gang GangOf(const Attempt& attempt) {
  policy::Gang gang;
  gang.members = attempt.members;
  for (const int32_t member : attempt.members) {
    if (HasEnded(attempt.tasks[static_cast<size_t>(member)])) gang.ended.insert(member);
  }
  gang.accusations = attempt.elastic.accusations;
  return gang;
}

bool AccusesTheLiving(const policy::Gang& gang) {
  return std::any_of(gang.accusations.begin(), gang.accusations.end(),
                     [&](const state::Accusation& a) { return gang.ended.count(a.of) == 0; });
}

// The program's own doing: no lost node or peer makes such an end.
bool HasCrashed(const Task& task) {
  return task.phase == TaskPhase::kExited && IsOrdinary(task.exit_code) && !task.infrastructure;
}

std::string HowItEnded(const Task& task) {
  if (task.phase == TaskPhase::kLost) return task.error;
  if (task.phase != TaskPhase::kExited) return "its node goes away";
  return absl::StrCat(task.exit_code < 0 ? "killed by signal " : "exited with code ",
                      std::abs(task.exit_code), task.error.empty() ? "" : ": ", task.error);
}

std::string NoticedBy(const state::Loss& loss) {
  if (loss.detector == "notice") return "announced";
  const std::string late = absl::StrCat(loss.delay_ms, " ms");
  if (loss.detector == "exit") return absl::StrCat("its worker told so after ", late);
  if (loss.detector == kByPeers) return absl::StrCat("judged by its peers within ", late);
  return absl::StrCat(
      loss.detector == "lease" ? "its lease ran out, " : "its worker's connection told, ", late,
      " after it was last heard");
}

}  // namespace

bool Machine::IsDoomed(const state::NodeId& id) const {
  const state::Node& node = state_.nodes.at(id);
  return node.drained || (node.has_notice && node.notice.certain);
}

// Whether the attempt is one that can lose members at all, and not at its end.
bool Machine::MayRegroup(const Job& job) const {
  const Attempt* attempt = job.LiveAttempt();
  const bool runs = job.state == JobState::kRunning || job.state == JobState::kRescaling;
  if (!runs || job.spec->shards == 0 || attempt->members.size() < 2) return false;
  const bool grown = std::any_of(attempt->tasks.begin(), attempt->tasks.end(),
                                 [](const Task& task) { return task.start_ms != 0; });
  if (grown && attempt->tasks.size() >= kTasksMax) return false;
  return std::none_of(attempt->members.begin(), attempt->members.end(), [&](int32_t member) {
    const Task& task = attempt->tasks[static_cast<size_t>(member)];
    return task.phase == TaskPhase::kExited && task.exit_code == 0;
  });
}

// By what is known now; empty: they are too few, or the attempt may not go on.
std::vector<int32_t> Machine::NextMembers(const Job& job) const {
  if (!MayRegroup(job)) return {};
  const Attempt& attempt = *job.LiveAttempt();
  std::vector<const Task*> candidates;
  for (const int32_t member : policy::WhoGoesOn(GangOf(attempt))) {
    const Task& task = attempt.tasks[static_cast<size_t>(member)];
    if (!IsDoomed(task.node)) candidates.push_back(&task);
  }
  return policy::ChooseMembers(*job.spec, candidates);
}

// A gang that loses one generation after the other before a step, or crashes without having a retry
// for it, gets nowhere this way.
bool Machine::AffordsLoss(const Job& job) const {
  const Attempt& attempt = *job.LiveAttempt();
  const state::Elastic& elastic = attempt.elastic;
  if (elastic.first_step_ms == 0 && elastic.barren + 1 >= kBarrenMax) return false;
  return !CostsRetry(attempt) || job.retries_left > OpenVerdicts(*job.history);
}

bool Machine::CostsRetry(const Attempt& attempt) {
  return !attempt.elastic.stepped &&
         std::any_of(attempt.members.begin(), attempt.members.end(), [&](int32_t member) {
           return HasCrashed(attempt.tasks[static_cast<size_t>(member)]);
         });
}

// When more is to be decided by what members have said of each other; kNever: nothing is.
int64_t Machine::JudgementAt(const Attempt& attempt) const {
  const int64_t accused_ms = attempt.elastic.accused_ms;
  if (accused_ms == 0) return Deadlines::kNever;
  const int64_t told_ms = Effective(accused_ms + kExitToldMs);
  return now_ms_ < told_ms ? told_ms : Effective(accused_ms + kJudgeMs);
}

// Members have ended, or are accused. True: the attempt goes on without them, or will as soon as
// more is known. False: it can't.
bool Machine::GoOn(Job* job) {
  const std::vector<int32_t> next = NextMembers(*job);
  if (next.empty() || !AffordsLoss(*job)) return false;
  const Attempt& attempt = *job->LiveAttempt();
  const policy::Gang gang = GangOf(attempt);
  const int64_t accused_ms = attempt.elastic.accused_ms;
  const bool told = now_ms_ >= Effective(accused_ms + kExitToldMs) && policy::MayJudge(gang);
  const bool waits = AccusesTheLiving(gang) && !told && now_ms_ < Effective(accused_ms + kJudgeMs);
  if (!waits) Reform(job, next, nullptr);
  return true;
}

// What members said of each other is to be decided, if it can be by now.
void Machine::Judge(Job* job) {
  if (GoOn(job)) return;
  Attempt& attempt = *job->LiveAttempt();
  // Too few would be left: an exit that is about to be told explains more than what peers say.
  if (now_ms_ < Effective(attempt.elastic.accused_ms + kJudgeMs)) return;
  const state::Accusation& first = attempt.elastic.accusations.front();
  const Task& lost = attempt.tasks[static_cast<size_t>(first.of)];
  OnTasksLost(job, absl::StrCat("task ", lost.rank, " on ", NodeName(lost.node),
                                " was missed by its peers, without which they are too few"));
}

void Machine::NoteLoss(Job* job, const Task& task, absl::string_view detector, int64_t alive_ms) {
  Attempt& attempt = *job->LiveAttempt();
  attempt.elastic.losses.push_back({.attempt = attempt.number,
                                    .generation = attempt.generation,
                                    .task = task.rank,
                                    .node = task.node,
                                    .detector = std::string(detector),
                                    .at_ms = now_ms_,
                                    .delay_ms = std::max<int64_t>(0, now_ms_ - alive_ms)});
  MarkJob(*job);
}

// `leave`: what tells members of its node to go; null: what the nodes' notices say.
void Machine::Reform(Job* job, const std::vector<int32_t>& next, const Leave* leave) {
  Attempt& attempt = *job->LiveAttempt();
  const policy::Gang gang = GangOf(attempt);
  const std::vector<int32_t> fit = policy::WhoGoesOn(gang);
  bool by_peers = false;
  for (const int32_t member : attempt.members) {
    Task& task = attempt.tasks[static_cast<size_t>(member)];
    if (HasEnded(task) || std::binary_search(next.begin(), next.end(), member)) continue;
    if (!std::binary_search(fit.begin(), fit.end(), member)) {
      by_peers = true;
      NoteLoss(job, task, kByPeers, attempt.elastic.accused_ms);
      task.error = "missed by its peers";
      task.exit_code = kExitUnknown;
      EndTask(job, &task, TaskPhase::kLost, now_ms_);
    } else if (IsDoomed(task.node)) {
      NoteLoss(job, task, "notice", now_ms_);
      const bool told = leave != nullptr && leave->node == task.node;
      LetGo(job, &task, told ? *leave : LeaveOf(task.node));
    } else {
      LetGo(job, &task, {task.node, now_ms_ + kLeaveMs, "no longer needed"});
    }
  }
  if (by_peers) DoubtReach(attempt);
  CountLosses(job);
  BeginGeneration(job, next);
}

// The losses of the generation that ends are survived.
void Machine::CountLosses(Job* job) {
  Attempt& attempt = *job->LiveAttempt();
  state::Elastic& elastic = attempt.elastic;
  state::JobHistory& history = *job->history;
  const bool announced =
      std::all_of(elastic.losses.begin(), elastic.losses.end(),
                  [](const state::Loss& loss) { return loss.detector == "notice"; });
  if (CostsRetry(attempt)) {
    --job->retries_left;
    ++elastic.retries_used;
  }
  if (!announced || elastic.losses.empty()) {
    elastic.barren = elastic.first_step_ms == 0 ? elastic.barren + 1 : 0;
    elastic.stepped = false;
  }
  bool taken = false;
  for (const state::Loss& loss : elastic.losses) {
    const Task& task = attempt.tasks[static_cast<size_t>(loss.task)];
    Say(*job, "lost",
        absl::StrCat("task ", loss.task, " on ", NodeName(loss.node), ": ", HowItEnded(task), " (",
                     NoticedBy(loss), ")"));
    taken = taken || (loss.detector != "exit" && loss.detector != kByPeers);
    if (history.pending_loss_ms == 0) history.pending_loss_ms = loss.at_ms - loss.delay_ms;
    if (history.losses.size() == kLossesKept) history.losses.erase(history.losses.begin());
    history.losses.push_back(loss);
  }
  history.preemptions += taken ? 1 : 0;
  elastic.losses.clear();
}

void Machine::BeginGeneration(Job* job, const std::vector<int32_t>& next) {
  Attempt& attempt = *job->LiveAttempt();
  state::Elastic& elastic = attempt.elastic;
  ++attempt.generation;
  attempt.members = next;
  attempt.world_size = static_cast<int32_t>(next.size());
  elastic.accusations.clear();
  elastic.accused_ms = 0;
  elastic.first_step_ms = 0;
  elastic.reached_step = ProgressOf(attempt).last_step;
  for (const int32_t member : next) {
    Task& task = attempt.tasks[static_cast<size_t>(member)];
    if (!IsJoiner(task)) continue;
    task.joined = attempt.generation;
    task.deadline_ms = 0;
  }
  if (job->state == JobState::kRunning) Move(job, JobState::kRescaling);
  MarkJob(*job);
  TouchAll(attempt);
  Say(*job, "reformed",
      absl::StrCat("generation ", attempt.generation, " has ", next.size(),
                   next.size() == 1 ? " rank: task " : " ranks: tasks ",
                   absl::StrJoin(next, ", ")));
}

void Machine::LetGo(Job* job, Task* task, const Leave& leave) {
  task->let_go = leave.reason;
  task->deadline_ms = leave.deadline_ms;
  MarkJob(*job);
  Touch(task->node);
  Say(*job, "let-go",
      absl::StrCat("task ", task->rank, " on ", NodeName(task->node),
                   " leaves after its step: ", leave.reason));
}

// By when and why ranks on a node that goes away are to leave, where no event has just told it.
Machine::Leave Machine::LeaveOf(const state::NodeId& id) const {
  const state::Node& node = state_.nodes.at(id);
  int64_t deadline_ms = now_ms_ + state_.config.drain_grace_ms;
  if (node.has_notice && node.notice.deadline_ms != 0) {
    deadline_ms = std::max(node.notice.deadline_ms, now_ms_ + kNoticeLeastMs);
  }
  return {id, deadline_ms, absl::StrCat("node ", NodeName(id), " goes away")};
}

// The node of some of its tasks goes away. True: the rest of the gang goes on, or none of its
// members is there. False: all of it has to stop.
bool Machine::LeaveNode(Job* job, const Leave& leave) {
  Attempt& attempt = *job->LiveAttempt();
  bool has_member = false;
  for (Task& task : attempt.tasks) {
    if (HasEnded(task) || task.node != leave.node) continue;
    has_member = has_member || IsMember(attempt, task.rank);
    if (!task.let_go.empty()) {
      task.deadline_ms = std::min(task.deadline_ms, leave.deadline_ms);
      MarkJob(*job);
      Touch(task.node);
    } else if (IsJoiner(task)) {
      EndJoiner(job, &task, leave.reason);
    }
  }
  if (!has_member) {
    AdmitIfReady(job);
    return true;
  }
  const std::vector<int32_t> next = NextMembers(*job);
  if (next.empty()) return false;
  // What members have said of each other is decided soon, and who has to leave with it.
  if (!attempt.elastic.accusations.empty()) return true;
  Say(*job, "notice",
      absl::StrCat(leave.reason, ": ", next.size(), " of ", attempt.world_size,
                   " ranks go on elsewhere, and no step is lost"));
  Reform(job, next, &leave);
  return true;
}

// Tasks of the job have ended with their node, or have ended unheard.
void Machine::OnLost(Job* job, const std::set<int32_t>& tasks, const std::string& why,
                     absl::string_view detector, int64_t heard_ms) {
  Attempt& attempt = *job->LiveAttempt();
  bool has_member = false;
  for (const int32_t number : tasks) {
    Task& task = attempt.tasks[static_cast<size_t>(number)];
    if (IsMember(attempt, number)) {
      has_member = true;
      NoteLoss(job, task, detector, std::max(heard_ms, task.last_step_ms));
    } else if (IsJoiner(task)) {
      JoinerFailed(job, task);
    }
  }
  if (!has_member) {
    AdmitIfReady(job);
    return FinishIfOver(job);
  }
  if (!GoOn(job)) OnTasksLost(job, why);
}

}  // namespace baton::core
