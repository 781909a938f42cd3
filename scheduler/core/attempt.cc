#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/check.h"
#include "scheduler/core/exits.h"
#include "scheduler/core/ledger.h"
#include "scheduler/core/machine.h"
#include "scheduler/core/need_words.h"
#include "scheduler/policy/progress.h"

namespace baton::core {
namespace {

using state::Attempt;
using state::Job;
using state::JobState;
using state::Task;
using state::TaskPhase;

// A job that is preempted for months keeps a record of bounded size; the ledgers stay complete.
constexpr size_t kAttemptsKept = 256;

// All its members have ended: others can't go on without them. Who was let go may have the result.
bool IsOver(const Attempt& attempt) {
  const bool ended = std::all_of(
      attempt.members.begin(), attempt.members.end(),
      [&](int32_t member) { return HasEnded(attempt.tasks[static_cast<size_t>(member)]); });
  if (!ended || !LacksResult(attempt)) return ended;
  return std::none_of(attempt.tasks.begin(), attempt.tasks.end(),
                      [](const Task& task) { return !HasEnded(task) && !task.let_go.empty(); });
}

// A gang whose ranks have not all prepared: no program was told to run.
bool NotToldToRun(const Attempt& attempt) {
  return attempt.world_size > 1 &&
         std::any_of(attempt.members.begin(), attempt.members.end(), [&](int32_t member) {
           return attempt.tasks[static_cast<size_t>(member)].phase == TaskPhase::kPreparing;
         });
}

void ForgetOldAttempts(state::JobHistory* history) {
  if (history->attempts.size() < kAttemptsKept) return;
  const auto oldest = std::find_if(history->attempts.begin(), history->attempts.end(),
                                   [](const Attempt& a) { return a.verdict_deadline_ms == 0; });
  if (oldest != history->attempts.end()) history->attempts.erase(oldest);
}

}  // namespace

void Machine::Begin(Job* job, const policy::Placement& placement) {
  Dequeue(job);
  state::JobHistory& history = HistoryOf(job);
  CloseQueueTime(job);
  GiveUpCrashLoop(job);
  Attempt attempt;
  int64_t taken_ms = 0;
  if (!history.checkpoints.empty()) {
    const state::Checkpoint& newest = history.checkpoints.back();
    attempt.resume_name = newest.name;
    attempt.resume_step = newest.step;
    attempt.resume_digest = newest.manifest_digest;
    taken_ms = newest.taken_ms;
  }
  const int64_t undone = Undo(*job->spec, attempt.resume_step, taken_ms, &history);
  history.steps_lost += undone;
  attempt.number = history.attempts.empty() ? 1 : history.attempts.back().number + 1;
  attempt.token = state_.counters.next_token++;
  attempt.world_size = static_cast<int32_t>(placement.ranks.size());
  attempt.alternative = placement.alternative;
  attempt.start_ms = now_ms_;
  attempt.start_deadline_ms = now_ms_ + PrepareLimitMs(*job->spec);
  for (const policy::RankPlace& place : placement.ranks) {
    Task task;
    task.rank = static_cast<int32_t>(attempt.tasks.size());
    task.node = place.node;
    task.gpus = place.gpus;
    fleet_.Take(place.node, state::NeedOf(*job->spec, attempt), place.gpus);
    tasks_on_[place.node].insert({job->id, task.rank});
    Touch(place.node);
    attempt.members.push_back(task.rank);
    attempt.tasks.push_back(std::move(task));
  }
  ChargeUsage(*job->spec, attempt, attempt.world_size);
  ForgetOldAttempts(&history);
  history.attempts.push_back(std::move(attempt));
  Move(job, JobState::kStarting);
  SayPlaced(*job, undone);
}

void Machine::SayPlaced(const Job& job, int64_t undone) {
  const Attempt& attempt = *job.LiveAttempt();
  std::string text = absl::StrCat(attempt.world_size, attempt.world_size == 1 ? " rank" : " ranks",
                                  " on ", NodeNames(attempt), ": the cheapest with room");
  if (!job.spec->any_of.empty()) {
    absl::StrAppend(&text, ", with ", NeedWords(state::NeedOf(*job.spec, attempt), 1, ""),
                    ", alternative ", attempt.alternative + 1);
  }
  if (job.history->on_demand_only) {
    absl::StrAppend(&text, ", on-demand only since it was taken away again and again");
  }
  if (attempt.number > 1 || !attempt.resume_name.empty()) {
    absl::StrAppend(&text, attempt.resume_name.empty()
                               ? "; from the start"
                               : absl::StrCat("; resumes from step ", attempt.resume_step));
    if (undone > 0) absl::StrAppend(&text, ", ", undone, " steps are repeated");
  }
  Say(job, "placed", text);
}

void Machine::Stop(Job* job, const StopOrder& order) {
  Attempt& attempt = *job->LiveAttempt();
  MarkJob(*job);
  // A person's cancel outranks all; a limit outranks what would only send the job on.
  const bool outranks =
      job->state != JobState::kStopping || order.intent == state::Intent::kCancel ||
      (order.intent == state::Intent::kFail && job->intent != state::Intent::kCancel);
  if (outranks) job->intent = order.intent;
  const bool preempted_after_failure =
      order.cause == state::EndCause::kPreempted && attempt.cause == state::EndCause::kNone;
  if (order.cause != state::EndCause::kNone && (outranks || preempted_after_failure)) {
    attempt.cause = order.cause;
    attempt.detail = order.reason;
  }
  if (job->state != JobState::kStopping) Move(job, JobState::kStopping);
  if (NotToldToRun(attempt)) KillTasks(job, order.reason);
  // Those that wait to join hold nothing worth saving.
  EndJoiners(job, order.reason);
  if (IsOver(attempt)) {
    Finish(job);
    return;
  }
  if (attempt.stop_deadline_ms == 0 || order.deadline_ms < attempt.stop_deadline_ms) {
    attempt.stop_deadline_ms = order.deadline_ms;
    attempt.stop_reason = order.reason;
  }
  TouchAll(attempt);
}

// An attempt that is being stopped already keeps its deadline: its ranks are saving.
void Machine::StopPeers(Job* job, const std::string& why) {
  if (job->LiveAttempt()->stop_deadline_ms != 0) {
    FinishIfOver(job);
    return;
  }
  Stop(job, {.intent = state::Intent::kRequeue,
             .deadline_ms = now_ms_ + state_.config.peer_lost_grace_ms,
             .reason = why});
}

void Machine::EndTask(Job* job, Task* task, TaskPhase phase, int64_t end_ms) {
  BATON_CHECK(!HasEnded(*task), "a task ends once");
  const Attempt& attempt = *job->LiveAttempt();
  state::Node& node = state_.nodes.at(task->node);
  task->phase = phase;
  task->end_ms = end_ms;
  const state::Resources& need = state::NeedOf(*job->spec, attempt);
  Bill(need, node.offer, std::max<int64_t>(0, end_ms - StartOf(attempt, *task)), job->history.get(),
       &node);
  node.held_until_ms = std::max(node.held_until_ms, end_ms);
  tasks_on_[task->node].erase({job->id, task->rank});
  fleet_.Give(task->node, need, task->gpus);
  ChargeUsage(*job->spec, attempt, -1);
  queue_.Unblock(*fleet_.Find(task->node));
  Touch(task->node);
  MarkJob(*job);
  MarkNode(node);
}

void Machine::LoseTask(Job* job, Task* task, const std::string& why) {
  task->error = why;
  task->exit_code = kExitUnknown;
  EndTask(job, task, TaskPhase::kLost, now_ms_);
  OnLost(job, {task->rank}, why, "exit", now_ms_);
}

void Machine::KillTasks(Job* job, const std::string& why) {
  for (Task& task : job->LiveAttempt()->tasks) {
    if (HasEnded(task)) continue;
    if (task.error.empty()) task.error = why;
    task.exit_code = kExitUnknown;
    EndTask(job, &task, TaskPhase::kLost, now_ms_);
  }
}

void Machine::FinishIfOver(Job* job) {
  if (IsOver(*job->LiveAttempt())) Finish(job);
}

}  // namespace baton::core
