// What the end of an attempt means for its job: the verdict. A crash of the program costs a retry,
// the loss of a node does not, and the one often looks like the other at first: see DESIGN.md.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "scheduler/core/exits.h"
#include "scheduler/core/ledger.h"
#include "scheduler/core/machine.h"
#include "scheduler/state/job_state.h"

namespace baton::core {

using state::Attempt;
using state::EndCause;
using state::Intent;
using state::Job;
using state::JobState;
using state::Task;

void Machine::Finish(Job* job) {
  Attempt& attempt = *job->LiveAttempt();
  state::JobHistory& history = *job->history;
  if (job->state != JobState::kStopping) Move(job, JobState::kStopping);
  KillTasks(job, "its gang has ended");
  BlameLossBefore(job);
  const Progress progress = ProgressOf(attempt);
  attempt.end_ms = now_ms_;
  attempt.phases = SplitAttempt(*job->spec, attempt, now_ms_);
  history.phases.setup_ms += attempt.phases.setup_ms;
  history.phases.restore_ms += attempt.phases.restore_ms;
  history.phases.train_ms += attempt.phases.train_ms;
  history.phases.save_ms += attempt.phases.save_ms;
  history.phases_until_ms = now_ms_;
  MarkJob(*job);
  const bool failed = attempt.cause == EndCause::kNone || attempt.cause == EndCause::kStartFailed;
  if (failed && !AllSucceeded(attempt)) DoubtReach(attempt);
  const bool may_succeed = job->intent != Intent::kCancel && job->intent != Intent::kFail;
  if (may_succeed && LacksResult(attempt)) {
    if (attempt.cause == EndCause::kNone) attempt.cause = EndCause::kNodeLost;
    attempt.detail = "its result was lost with the node that had it";
  } else if (may_succeed && AllSucceeded(attempt)) {
    const bool missing = OutputsMissing(attempt);
    // Its node goes away with the result: as if it had been stopped a moment earlier.
    const bool once_more = missing && attempt.cause == EndCause::kPreempted;
    if (!once_more) return EndSucceeded(job, missing);
    attempt.detail = absl::StrCat(attempt.detail, "; ", ErrorsOf(attempt));
  }
  if (history.pending_loss_ms == 0 && attempt.cause != EndCause::kPaused) {
    history.pending_loss_ms = progress.last_step_ms != 0 ? progress.last_step_ms
                              : attempt.failed_ms != 0   ? attempt.failed_ms
                                                         : now_ms_;
  }
  switch (attempt.cause) {
    case EndCause::kCancelled:
      End(job, JobState::kCancelled, attempt.detail);
      return;
    case EndCause::kTimeLimit:
      End(job, JobState::kFailed, attempt.detail);
      return;
    case EndCause::kPaused:
      Requeue(job);
      return;
    case EndCause::kPreempted:
    case EndCause::kNodeLost:
      ++history.preemptions;
      Say(*job, "requeued",
          absl::StrCat("attempt ", attempt.number, " has ended (", attempt.detail,
                       "); no retry is counted"));
      Requeue(job);
      return;
    case EndCause::kStartFailed:
      EndStartFailed(job);
      return;
    default:
      EndCrashed(job);
      return;
  }
}

// A gang that has not come to a step after losing a member ended by that loss, unless its program
// says otherwise.
void Machine::BlameLossBefore(Job* job) {
  Attempt& attempt = *job->LiveAttempt();
  if (attempt.cause != EndCause::kNone || attempt.elastic.first_step_ms != 0) return;
  if (attempt.generation == 1 || AllSucceeded(attempt) || !BlamesProgram(attempt)) return;
  const bool told_otherwise =
      std::any_of(attempt.members.begin(), attempt.members.end(), [&](int32_t member) {
        const Task& task = attempt.tasks[static_cast<size_t>(member)];
        return task.phase == state::TaskPhase::kExited && IsOrdinary(task.exit_code);
      });
  if (told_otherwise) return;
  for (const state::Loss& loss : job->history->losses) {
    const bool before = loss.attempt == attempt.number && loss.recovery_ms < 0;
    if (!before || loss.detector == "exit") continue;
    // It was counted when the gang went on without it: it is one preemption.
    if (loss.detector != kByPeers) --job->history->preemptions;
    attempt.cause = EndCause::kNodeLost;
    attempt.detail =
        absl::StrCat("it could not go on without task ", loss.task, " on ", NodeName(loss.node));
    return;
  }
}

// A success whose outputs nobody can have is none, though no retry would help: `missing`.
void Machine::EndSucceeded(Job* job, bool missing) {
  Attempt& attempt = job->history->attempts.back();
  attempt.cause = missing ? EndCause::kNodeLost : EndCause::kSucceeded;
  attempt.detail = "all ranks exited with code 0";
  const std::string loss = ErrorsOf(attempt);
  if (!loss.empty()) absl::StrAppend(&attempt.detail, ", but ", loss);
  Say(*job, missing ? "failed" : "succeeded", attempt.detail);
  End(job, missing ? JobState::kFailed : JobState::kSucceeded, missing ? attempt.detail : loss);
  // Nothing depends on them any more, and a job that has ended is not to change again.
  for (Attempt& earlier : job->history->attempts) {
    if (earlier.verdict_deadline_ms != 0) CloseVerdict(job, &earlier, EndCause::kCrashed);
  }
}

void Machine::EndCrashed(Job* job) {
  Attempt& attempt = job->history->attempts.back();
  if (!BlamesProgram(attempt)) {
    CloseVerdict(job, &attempt, EndCause::kNodeLost);
    if (StartFailuresInARow(*job->history) >= state_.config.start_failures_max) {
      return EndByNodes(job, "was failed by its nodes");
    }
    Requeue(job);
    return;
  }
  if (CertainlyCrashed(attempt)) {
    CloseVerdict(job, &attempt, EndCause::kCrashed);
    if (!state::IsEnded(job->state)) Requeue(job);
    return;
  }
  attempt.verdict_deadline_ms =
      attempt.failed_ms + state_.config.lease_ms + state_.config.verdict_margin_ms;
  undecided_.insert(job->id);
  Requeue(job);
  Say(*job, "verdict-open",
      absl::StrCat("whether a node was lost is known within ",
                   (attempt.verdict_deadline_ms - now_ms_ + 999) / 1000,
                   " s; until then no retry is counted"));
}

void Machine::EndByNodes(Job* job, absl::string_view what) {
  const std::string reason =
      absl::StrCat(what, " ", state_.config.start_failures_max,
                   " times in a row; last: ", job->history->attempts.back().detail);
  Say(*job, "failed", reason);
  End(job, JobState::kFailed, reason);
}

void Machine::EndStartFailed(Job* job) {
  Attempt& attempt = job->history->attempts.back();
  const std::string detail = attempt.detail;
  if (RestoreFailures(*job->history, attempt.bad_checkpoint) >= 2) {
    const std::vector<state::Checkpoint>& kept = job->history->checkpoints;
    const bool origin = std::any_of(kept.begin(), kept.end(), [&](const state::Checkpoint& c) {
      return c.name == attempt.bad_checkpoint && c.attempt == 0;
    });
    if (!origin) DropCheckpoint(job, attempt.bad_checkpoint, "could not be restored twice");
    if (origin) {
      const std::string reason = absl::StrCat("the checkpoint of job ", job->spec->from_job,
                                              " that it was to begin with is damaged: ", detail);
      Say(*job, "failed", reason);
      return End(job, JobState::kFailed, reason);
    }
  }
  if (StartFailuresInARow(*job->history) >= state_.config.start_failures_max) {
    return EndByNodes(job, "could not be started");
  }
  if (!BlamesProgram(attempt)) {
    Requeue(job);
    return;
  }
  if (job->retries_left == 0) {
    Say(*job, "failed", detail);
    End(job, JobState::kFailed, detail);
    return;
  }
  --job->retries_left;
  Requeue(job);
}

// Also decides over an attempt that has just ended, without ever having been open.
void Machine::CloseVerdict(Job* job, Attempt* attempt, EndCause cause) {
  attempt->verdict_deadline_ms = 0;
  attempt->cause = cause == EndCause::kCrashed ? CrashCause(*attempt) : cause;
  MarkJob(*job);
  if (!HasOpenVerdict(*job)) undecided_.erase(job->id);
  const std::string which = absl::StrCat("attempt ", attempt->number, ": ");
  if (state::IsEnded(job->state)) {
    Say(*job, Name(attempt->cause),
        absl::StrCat(which, attempt->detail, "; the job has ended, no retry is counted"));
    return;
  }
  if (cause != EndCause::kCrashed) {
    ++job->history->preemptions;
    const bool was_lost = BlamesProgram(*attempt);
    Say(*job, Name(cause),
        absl::StrCat(which,
                     was_lost ? "a node of it went down, which explains its end ("
                              : "a node of it failed it (",
                     attempt->detail, "); no retry is counted"));
    Reconsider(job);
    ReleaseIfReady(job);
    return;
  }
  // Progress since then has refilled the retries, and is worth more than the crash before it.
  const auto& checkpoints = job->history->checkpoints;
  const bool forgiven = !checkpoints.empty() && checkpoints.back().attempt > attempt->number;
  const bool hopeless = job->LiveAttempt() == nullptr && IsHopeless(*job->spec, *attempt);
  if (hopeless || (!forgiven && job->retries_left == 0)) {
    BATON_CHECK(job->LiveAttempt() == nullptr, "it ran without a retry for an open verdict");
    const std::string reason =
        absl::StrCat("attempt ", attempt->number, ": ", attempt->detail,
                     hopeless ? "; the spec or its data is wrong, which no retry would mend"
                              : "; no retries are left");
    Say(*job, "failed", reason);
    if (job->state == JobState::kQueued || job->state == JobState::kHeld) {
      Dequeue(job);
      CloseQueueTime(job);
    }
    End(job, JobState::kFailed, reason);
    return;
  }
  if (!forgiven) --job->retries_left;
  Say(*job, Name(attempt->cause),
      absl::StrCat(which, attempt->detail, "; ", job->retries_left, " retries left"));
  ReleaseIfReady(job);
}

// Whatever ended the attempt: a job that a person wants paused is held, not queued.
void Machine::Requeue(Job* job) {
  if (job->intent == Intent::kPause) return HoldJob(job, state::Hold::kPerson, job->reason);
  job->intent = Intent::kNone;
  Move(job, JobState::kQueued);
  QueueOrHold(job);
}

void Machine::End(Job* job, JobState how, const std::string& reason) {
  Move(job, how);
  job->intent = Intent::kNone;
  job->hold = state::Hold::kNone;
  job->end_ms = now_ms_;
  job->reason = reason;
  if (job->history != nullptr) job->history->pending_loss_ms = 0;
  EndTrial(*job);
}

void Machine::CloseQueueTime(Job* job) {
  if (job->history == nullptr) return;
  state::JobHistory& history = *job->history;
  const int64_t waited_ms = now_ms_ - history.phases_until_ms;
  (job->state == JobState::kHeld ? history.phases.idle_ms : history.phases.queue_ms) += waited_ms;
  history.phases_until_ms = now_ms_;
}

void Machine::ReleaseIfReady(Job* job) {
  if (job->state != JobState::kQueued || HeldBackUntil(*job) > now_ms_) return;
  if (!queue_.Contains(job)) queue_.Add(job);
}

}  // namespace baton::core
