#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "scheduler/core/exits.h"
#include "scheduler/core/machine.h"

namespace baton::core {
namespace {

using state::Attempt;
using state::Job;
using state::JobState;
using state::Task;
using state::TaskPhase;

constexpr int64_t kBackoffFirstMs = 1'000;
constexpr int64_t kBackoffMaxMs = 30'000;

}  // namespace

// What fell due while the scheduler was away, or falls due before its workers can be back, waits
// until they had their time: the scheduler's trouble is never a state of a job.
int64_t Machine::Effective(int64_t deadline_ms) const {
  const int64_t started_ms = state_.counters.started_ms;
  if (started_ms == 0) return deadline_ms;
  return std::max(deadline_ms,
                  started_ms + state_.config.lease_ms + state_.config.verdict_margin_ms);
}

int64_t Machine::TimeLimitAt(const Job& job) const {
  const Attempt* attempt = job.LiveAttempt();
  const bool runs =
      attempt != nullptr && (job.state == JobState::kRunning || job.state == JobState::kRescaling);
  if (!runs || job.spec->time_limit_ms == 0) return Deadlines::kNever;
  const state::Phases& used = job.history->phases;
  const int64_t used_ms = used.train_ms + used.save_ms + used.lost_ms;
  return attempt->running_ms + std::max<int64_t>(0, job.spec->time_limit_ms - used_ms);
}

// A job that has a retry for each open verdict starts again at once; without one it must know
// first, which CloseVerdict tells. One that failed to start twice in a row waits longer each time.
int64_t Machine::HeldBackUntil(const Job& job) const {
  if (job.history == nullptr || job.history->attempts.empty()) return 0;
  const state::JobHistory& history = *job.history;
  if (OpenVerdicts(history) > job.retries_left) return Deadlines::kNever;
  const int32_t failures = StartFailuresInARow(history);
  if (failures < 2) return 0;
  const int64_t backoff_ms = std::min(kBackoffMaxMs, kBackoffFirstMs << std::min(failures - 2, 10));
  return history.attempts.back().end_ms + backoff_ms;
}

// When the next verdict closes; kNever: none is open.
int64_t Machine::NextVerdict(const Job& job) const {
  int64_t next_ms = Deadlines::kNever;
  for (const Attempt& attempt : job.history->attempts) {
    if (attempt.verdict_deadline_ms == 0) continue;
    // It is open through its last millisecond.
    next_ms = std::min(next_ms, Effective(attempt.verdict_deadline_ms) + 1);
  }
  return next_ms;
}

int64_t Machine::DeadlineOf(const Job& job) const {
  if (job.history == nullptr) return Deadlines::kNever;
  int64_t next_ms = NextVerdict(job);
  // Also when that time has passed already, as while the scheduler was away: then at once.
  if (job.state == JobState::kQueued && !queue_.Contains(&job)) {
    next_ms = std::min(next_ms, HeldBackUntil(job));
  }
  const Attempt* attempt = job.LiveAttempt();
  if (attempt == nullptr) return next_ms;
  if (attempt->stop_deadline_ms != 0) {
    return std::min(next_ms, Effective(attempt->stop_deadline_ms));
  }
  if (job.state == JobState::kStarting) {
    next_ms = std::min(next_ms, Effective(attempt->start_deadline_ms));
  }
  for (const Task& task : attempt->tasks) {
    if (task.deadline_ms == 0 || HasEnded(task)) continue;
    next_ms = std::min(next_ms, Effective(task.deadline_ms));
  }
  return std::min({next_ms, TimeLimitAt(job), JudgementAt(*attempt), GrowthAt(job)});
}

absl::Status Machine::On(const state::TimerFired&) {
  for (const state::JobId& id : deadlines_.Due(now_ms_)) {
    OnDue(&state_.jobs.at(id));
    // Also of a job that only was released and changed in nothing that is stored.
    deadlines_.Set(id, DeadlineOf(state_.jobs.at(id)));
  }
  AskAgainIfDue();
  return absl::OkStatus();
}

void Machine::OnDue(Job* job) {
  CloseDueVerdicts(job);
  ReleaseIfReady(job);
  Attempt* attempt = job->LiveAttempt();
  if (attempt == nullptr) return;
  if (attempt->stop_deadline_ms != 0) {
    if (now_ms_ < Effective(attempt->stop_deadline_ms)) return;
    Say(*job, "killed", "what had not stopped in time is killed");
    KillTasks(job, "killed: it did not stop in time");
    Finish(job);
    return;
  }
  if (job->state == JobState::kStarting && now_ms_ >= Effective(attempt->start_deadline_ms)) {
    OnStartDeadline(job);
    return;
  }
  if (now_ms_ >= TimeLimitAt(*job)) return OnTimeLimit(job);
  EndLateTasks(job);
  if (job->LiveAttempt() == nullptr) return;
  if (!attempt->elastic.accusations.empty()) Judge(job);
}

void Machine::OnTimeLimit(Job* job) {
  const std::string reason =
      absl::StrCat("the time limit of ", job->spec->time_limit_ms / 1000, " s is reached");
  Say(*job, "time-limit", reason);
  Stop(job, {.intent = state::Intent::kFail,
             .cause = state::EndCause::kTimeLimit,
             .deadline_ms = now_ms_ + state_.config.cancel_grace_ms,
             .reason = reason});
}

void Machine::CloseDueVerdicts(Job* job) {
  if (job->history == nullptr) return;
  for (size_t i = 0; i < job->history->attempts.size(); ++i) {
    Attempt& attempt = job->history->attempts[i];
    const bool due =
        attempt.verdict_deadline_ms != 0 && now_ms_ > Effective(attempt.verdict_deadline_ms);
    if (due) CloseVerdict(job, &attempt, state::EndCause::kCrashed);
  }
}

// The gang gives all back. Ranks that were not ready mark their node as one to avoid.
void Machine::OnStartDeadline(Job* job) {
  Attempt& attempt = *job->LiveAttempt();
  std::vector<std::string> late;
  const bool prepared =
      std::all_of(attempt.tasks.begin(), attempt.tasks.end(),
                  [](const Task& task) { return task.phase != TaskPhase::kPreparing; });
  for (Task& task : attempt.tasks) {
    const bool ready = task.phase == TaskPhase::kRunning || task.phase == TaskPhase::kExited ||
                       (task.phase == TaskPhase::kPrepared && !prepared);
    if (ready) continue;
    task.infrastructure = true;
    task.error = "was not ready in time";
    late.push_back(absl::StrCat("rank ", task.rank, " on ", NodeName(task.node)));
  }
  constexpr size_t kNamedMax = 4;
  if (late.size() > kNamedMax) late.resize(kNamedMax);
  attempt.cause = state::EndCause::kStartFailed;
  attempt.failed_ms = now_ms_;
  attempt.detail = absl::StrCat(
      late.empty() ? "the gang" : absl::StrJoin(late, ", "), " was not ready within ",
      (prepared ? state_.config.start_deadline_ms : PrepareLimitMs(*job->spec)) / 1000, " s");
  Say(*job, "start-failed", attempt.detail);
  KillTasks(job, "its gang was not ready in time");
  Finish(job);
}

}  // namespace baton::core
