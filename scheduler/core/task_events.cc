#include <algorithm>

#include "absl/strings/str_cat.h"
#include "scheduler/core/exits.h"
#include "scheduler/core/fence.h"
#include "scheduler/core/ledger.h"
#include "scheduler/core/machine.h"

namespace baton::core {

using state::Attempt;
using state::Job;
using state::JobState;
using state::Task;
using state::TaskPhase;
using state::TaskReported;
using state::TaskStage;

absl::Status Machine::On(const TaskReported& report) {
  // Acknowledged in any case: a refused report would be refused again, and the wanted set tells the
  // worker what it should have instead.
  out_.effects.push_back(
      state::AckReport{.node = report.node, .task = report.task, .stage = report.stage});
  auto fenced = Fence(state_, report.task, report.node, report.incarnation);
  if (!fenced.ok()) {
    Touch(report.node);
    return fenced.status();
  }
  Apply(report, fenced->job, fenced->task);
  return absl::OkStatus();
}

void Machine::Apply(const TaskReported& report, Job* job, Task* task) {
  if (task->phase == TaskPhase::kExited) return;
  Attempt& attempt = *job->LiveAttempt();
  RecordProgress(report, job, task);
  const bool placed = !report.address.empty() &&
                      (task->phase == TaskPhase::kPreparing || task->phase == TaskPhase::kPrepared);
  if (placed && (report.address != task->address || report.port != task->port)) {
    task->address = report.address;
    task->port = report.port;
    MarkJob(*job);
    // Ranks that were told the old address already are told the new one.
    if (task->phase == TaskPhase::kPrepared) TouchAll(attempt);
  }
  switch (report.stage) {
    case TaskStage::kPrepared:
      OnPrepared(job, task);
      return;
    case TaskStage::kRunning:
    case TaskStage::kFirstStep:
      OnProgramRuns(report, job, task);
      return;
    case TaskStage::kExited:
      OnExited(report, job, task);
      return;
    case TaskStage::kFailed:
      OnStartFailed(report, job, task);
      return;
  }
}

void Machine::OnPrepared(Job* job, Task* task) {
  Attempt& attempt = *job->LiveAttempt();
  if (task->phase != TaskPhase::kPreparing) return;
  task->phase = TaskPhase::kPrepared;
  MarkJob(*job);
  if (IsJoiner(*task)) {
    task->deadline_ms = now_ms_ + state_.config.start_deadline_ms;
    Touch(task->node);
    return;
  }
  const bool all = std::all_of(attempt.members.begin(), attempt.members.end(), [&](int32_t member) {
    return attempt.tasks[static_cast<size_t>(member)].phase != TaskPhase::kPreparing;
  });
  if (!all) return;
  // From here on the programs have as long again to start.
  attempt.start_deadline_ms = now_ms_ + state_.config.start_deadline_ms;
  TouchAll(attempt);
}

void Machine::OnProgramRuns(const TaskReported& report, Job* job, Task* task) {
  if (task->phase == TaskPhase::kRunning) return;
  Attempt& attempt = *job->LiveAttempt();
  task->phase = TaskPhase::kRunning;
  MarkJob(*job);
  if (IsJoiner(*task)) {
    // It has as long again to load what it needs.
    if (!task->ready) task->deadline_ms = now_ms_ + PrepareLimitMs(*job->spec);
    AdmitIfReady(job);
    return;
  }
  if (task->start_ms == 0) {
    attempt.running_ms =
        std::max(attempt.running_ms, std::clamp(report.at_ms, attempt.start_ms, now_ms_));
  }
  OnRunning(job);
}

// What a report says of a generation's first step; of an earlier generation it is no news.
void Machine::OnFirstStep(const TaskReported& report, Job* job, Task* task) {
  const Attempt& attempt = *job->LiveAttempt();
  if (!IsMember(attempt, task->rank)) return;
  if (attempt.generation == 1) {
    if (task->first_step_ms != 0 && report.generation <= 1) {
      OnGenerationStep(job, attempt.resume_step, task->first_step_ms);
    }
    return;
  }
  const bool finished = report.stage == TaskStage::kFirstStep || report.generation_step_ms != 0;
  if (report.generation != attempt.generation || !finished) return;
  const int64_t at_ms = report.generation_step_ms != 0 ? report.generation_step_ms : report.at_ms;
  OnGenerationStep(job, report.generation_step, std::clamp(at_ms, attempt.start_ms, now_ms_));
}

void Machine::RecordProgress(const TaskReported& report, Job* job, Task* task) {
  const Attempt& attempt = *job->LiveAttempt();
  const int64_t start_ms = StartOf(attempt, *task);
  const auto clamp = [&](int64_t at_ms) { return std::clamp(at_ms, start_ms, now_ms_); };
  const Task before = *task;
  const int64_t span_ms = now_ms_ - start_ms;
  task->setup_ms = std::clamp(report.setup_ms, task->setup_ms, std::max(task->setup_ms, span_ms));
  task->restore_ms =
      std::clamp(report.restore_ms, task->restore_ms, std::max(task->restore_ms, span_ms));
  task->save_ms = std::clamp(report.save_ms, task->save_ms, std::max(task->save_ms, span_ms));
  if (report.last_step > task->last_step) {
    task->last_step = report.last_step;
    task->last_step_ms = clamp(report.last_step_ms != 0 ? report.last_step_ms : report.at_ms);
  }
  if (report.first_step > 0 && task->first_step == 0) {
    task->first_step = report.first_step;
    const bool timed = report.first_step_ms != 0;
    task->first_step_ms = clamp(timed ? report.first_step_ms : report.at_ms);
    task->last_step = std::max(task->last_step, task->first_step);
    task->last_step_ms = std::max(task->last_step_ms, task->first_step_ms);
    state::JobHistory& history = *job->history;
    if (job->spec->shards > 0 && history.device_kind.empty()) {
      history.device_kind = state_.nodes.at(task->node).offer.device_kind;
    }
  }
  const bool first = task->rank == attempt.members.front();
  if (!report.output_digest.empty()) {
    task->output_digest = report.output_digest;
    // The result of who finished and was let go before it was known.
    const bool finished = report.stage == TaskStage::kExited && report.exit_code == 0;
    if (first || (finished && !task->let_go.empty())) {
      job->history->output_digest = report.output_digest;
    }
  }
  if (first && !report.environment.empty() && job->history->environment != report.environment) {
    job->history->environment = report.environment;
    MarkJob(*job);
  }
  if (!report.error.empty()) task->error = report.error;
  // What a worker complains of while its task goes on is for the job's owner.
  const bool goes_on = report.stage == TaskStage::kRunning || report.stage == TaskStage::kFirstStep;
  if (goes_on && task->error != before.error) {
    Say(*job, "complaint",
        absl::StrCat("rank ", task->rank, " on ", NodeName(task->node), ": ", task->error));
  }
  if (!(before == *task)) MarkJob(*job);
  OnFirstStep(report, job, task);
}

void Machine::CloseRecovery(Job* job, int64_t step_ms) {
  state::JobHistory& history = *job->history;
  if (history.pending_loss_ms == 0) return;
  constexpr size_t kRecoveriesKept = 1000;
  const int64_t took_ms = std::max<int64_t>(0, step_ms - history.pending_loss_ms);
  if (history.recoveries_ms.size() == kRecoveriesKept) {
    history.recoveries_ms.erase(history.recoveries_ms.begin());
  }
  history.recoveries_ms.push_back(took_ms);
  history.pending_loss_ms = 0;
  Say(*job, "recovered",
      absl::StrCat(job->spec->shards > 0 ? "next step " : "runs again ", took_ms,
                   " ms after the loss"));
  MarkJob(*job);
}

void Machine::OnRunning(Job* job) {
  Attempt& attempt = *job->LiveAttempt();
  const bool all = std::all_of(attempt.members.begin(), attempt.members.end(), [&](int32_t member) {
    const TaskPhase phase = attempt.tasks[static_cast<size_t>(member)].phase;
    return phase == TaskPhase::kRunning || phase == TaskPhase::kExited;
  });
  if (!all || job->state != JobState::kStarting) return;
  Move(job, JobState::kRunning);
  Say(*job, "started",
      absl::StrCat("attempt ", attempt.number, " runs ", attempt.world_size,
                   attempt.world_size == 1 ? " rank" : " ranks"));
  // No step of a command may ever be heard of: that it runs again is all there is to wait for.
  if (job->spec->shards == 0) CloseRecovery(job, attempt.running_ms);
}

void Machine::OnExited(const TaskReported& report, Job* job, Task* task) {
  Attempt& attempt = *job->LiveAttempt();
  const int64_t at_ms = std::clamp(report.at_ms, StartOf(attempt, *task), now_ms_);
  if (task->phase != TaskPhase::kRunning && task->start_ms == 0) {
    // It has run, though nobody has heard of it before its end.
    const int64_t since_ms = attempt.start_ms + task->setup_ms + task->restore_ms;
    attempt.running_ms = std::max(attempt.running_ms, std::min(since_ms, at_ms));
  }
  task->exit_code = report.exit_code;
  task->exit_cause = report.exit_cause;
  task->infrastructure = report.infrastructure;
  if (report.exit_code == 0) task->error = report.error;
  EndTask(job, task, TaskPhase::kExited, at_ms);
  if (!IsMember(attempt, task->rank)) return OnOtherEnded(job, *task);
  OnRunning(job);
  const bool unasked = report.exit_code != 0 && attempt.stop_deadline_ms == 0;
  if (unasked && report.exit_code != kExitUsage) {
    NoteLoss(job, *task, "exit", at_ms);
    if (GoOn(job)) return;
  }
  if (unasked) {
    if (attempt.failed_ms == 0) attempt.failed_ms = at_ms;
    if (attempt.detail.empty()) {
      attempt.detail =
          absl::StrCat("rank ", task->rank, " on ", NodeName(task->node),
                       report.exit_code < 0 ? " was killed by signal " : " exited with code ",
                       std::abs(report.exit_code), report.error.empty() ? "" : ": ", report.error);
    }
    Say(*job, "exited", attempt.detail);
  }
  if (report.exit_code == 0) DropNewcomers(job);
  if (attempt.failed_ms != 0) {
    StopPeers(job, "a peer was lost");
  } else {
    FinishIfOver(job);
  }
}

void Machine::OnStartFailed(const TaskReported& report, Job* job, Task* task) {
  Attempt& attempt = *job->LiveAttempt();
  const int64_t at_ms = std::clamp(report.at_ms, StartOf(attempt, *task), now_ms_);
  task->infrastructure = report.infrastructure;
  task->exit_code = kExitUnknown;
  if (task->error.empty()) task->error = "could not be started, for a reason not told";
  EndTask(job, task, TaskPhase::kExited, at_ms);
  if (!IsMember(attempt, task->rank)) return OnOtherEnded(job, *task);
  if (attempt.cause == state::EndCause::kNone) {
    attempt.cause = state::EndCause::kStartFailed;
    if (attempt.failed_ms == 0) attempt.failed_ms = at_ms;
    if (report.bad_checkpoint == attempt.resume_name) attempt.bad_checkpoint = attempt.resume_name;
    attempt.detail = absl::StrCat("rank ", task->rank, " could not be started on ",
                                  NodeName(task->node), ": ", task->error);
    Say(*job, "start-failed", attempt.detail);
  }
  StopPeers(job, "a peer could not be started");
}

}  // namespace baton::core
