// HELD: a job that keeps its place and waits for a person's word.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "scheduler/core/ledger.h"
#include "scheduler/core/machine.h"
#include "scheduler/policy/backfill.h"
#include "scheduler/policy/progress.h"
#include "scheduler/state/job_state.h"

namespace baton::core {

using state::Intent;
using state::Job;
using state::JobState;

absl::Status Machine::On(const state::JobPaused& event) {
  const auto it = state_.jobs.find(event.job);
  if (it == state_.jobs.end()) {
    return absl::NotFoundError(absl::StrCat("no job ", event.job, " is known"));
  }
  Job& job = it->second;
  if (state::IsEnded(job.state)) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job.id, " has ended already: ", state::Name(job.state)));
  }
  const bool stopping = job.state == JobState::kStopping;
  if (stopping && job.intent != Intent::kRequeue && job.intent != Intent::kPause) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job.id, " is being stopped for good: ", job.LiveAttempt()->detail));
  }
  if (job.state == JobState::kHeld || job.intent == Intent::kPause) return absl::OkStatus();
  const std::string by = event.by.empty() ? "paused" : absl::StrCat("paused by ", event.by);
  if (job.state == JobState::kQueued) {
    Dequeue(&job);
    HoldJob(&job, state::Hold::kPerson, by);
    return absl::OkStatus();
  }
  job.reason = by;
  if (stopping) {
    // Whatever stops it keeps its deadline and its cause; the job then stays.
    job.intent = Intent::kPause;
    MarkJob(job);
    Say(job, "paused", absl::StrCat(by, " while its ranks are being stopped"));
    return absl::OkStatus();
  }
  Say(job, "paused", absl::StrCat(by, "; its ranks are told to save and stop"));
  Stop(&job, {.intent = Intent::kPause,
              .cause = state::EndCause::kPaused,
              .deadline_ms = now_ms_ + StopGraceMs(job),
              .reason = by});
  return absl::OkStatus();
}

absl::Status Machine::On(const state::JobResumed& event) {
  const auto it = state_.jobs.find(event.job);
  if (it == state_.jobs.end()) {
    return absl::NotFoundError(absl::StrCat("no job ", event.job, " is known"));
  }
  Job& job = it->second;
  const std::string by = event.by.empty() ? "" : absl::StrCat(" by ", event.by);
  if (job.state == JobState::kStopping && job.intent == Intent::kPause) {
    job.intent = Intent::kRequeue;
    job.reason.clear();
    MarkJob(job);
    Say(job, "resumed", absl::StrCat("resumed", by, "; it goes on once its ranks have stopped"));
    return absl::OkStatus();
  }
  if (job.state != JobState::kHeld) {
    const bool over = job.state == JobState::kFailed || job.state == JobState::kCancelled;
    return absl::FailedPreconditionError(absl::StrCat(
        "job ", job.id, " is ", state::Name(job.state), ", and only a HELD job is resumed",
        over ? "; `baton retry` sends it on again" : ""));
  }
  state::JobHistory& history = HistoryOf(&job);
  CloseQueueTime(&job);
  // A person has decided that it goes on: what it has lost so far is no reason to hold it again.
  if (job.hold == state::Hold::kNoProgress && !history.attempts.empty()) {
    history.retried_after = history.attempts.back().number;
  }
  job.hold = state::Hold::kNone;
  job.reason.clear();
  Move(&job, JobState::kQueued);
  Say(job, "resumed", absl::StrCat("resumed", by, ", with its former place in the queue"));
  QueueOrHold(&job);
  return absl::OkStatus();
}

policy::NextTry Machine::NextTryOf(const Job& job) const {
  if (job.history == nullptr) return policy::NextTry::kAsBefore;
  const size_t losses = policy::FruitlessLosses(*job.history).size();
  if (losses < policy::kLossesForOnDemand) return policy::NextTry::kAsBefore;
  policy::Ask ask = AskOf(job);
  ask.on_demand_only = true;
  const bool could_hold = !policy::ChoosePromises(fleet_, ask).empty();
  return policy::ChooseNextTry(job.spec->capacity, losses, could_hold);
}

// A QUEUED job that is not yet in the queue.
void Machine::QueueOrHold(Job* job) {
  const policy::NextTry next = NextTryOf(*job);
  if (next == policy::NextTry::kHold) {
    return HoldJob(job, state::Hold::kNoProgress, LossWords(*job));
  }
  if (job->history != nullptr) {
    job->history->on_demand_only = next == policy::NextTry::kOnDemandOnly;
  }
  Enqueue(job);
}

// More is known of how its attempts have ended than when it was queued.
void Machine::Reconsider(Job* job) {
  if (job->state != JobState::kQueued) return;
  const policy::NextTry next = NextTryOf(*job);
  const bool on_demand_only = next == policy::NextTry::kOnDemandOnly;
  const bool as_before = on_demand_only == job->history->on_demand_only;
  if (next != policy::NextTry::kHold && as_before) return;
  Dequeue(job);
  QueueOrHold(job);
}

// What was lost, and what would help.
std::string Machine::LossWords(const Job& job) const {
  const std::vector<const state::Attempt*> losses = policy::FruitlessLosses(*job.history);
  int64_t lost_ms = 0;
  Money lost;
  for (const state::Attempt* a : losses) {
    lost_ms += a->end_ms - a->start_ms;
    for (const state::Task& task : a->tasks) {
      const state::NodeOffer& offer = state_.nodes.at(task.node).offer;
      lost = Add(lost, offer.price_usd_micro_per_hour,
                 DominantShare(state::NeedOf(*job.spec, *a), offer),
                 std::max<int64_t>(0, task.end_ms - StartOf(*a, task)));
    }
  }
  std::string words = absl::StrFormat(
      "it gets nowhere: %d attempts in a row were taken away with no checkpoint and no step beyond "
      "those before (last: %s), and %d s and $%d.%06d are lost with them; let it write checkpoints",
      losses.size(), losses.front()->detail, lost_ms / 1000, lost.usd_micro / 1'000'000,
      lost.usd_micro % 1'000'000);
  if (losses.size() >= policy::kLossesForHold) return words;
  absl::StrAppend(&words, job.spec->capacity == state::Capacity::kSpot
                              ? ", or submit it with `capacity: auto`, which allows on-demand nodes"
                              : ", or add an on-demand node that can hold it");
  return words;
}

// A job that is in no queue and runs nothing any more.
void Machine::HoldJob(Job* job, state::Hold hold, const std::string& reason) {
  state::JobHistory& history = HistoryOf(job);
  if (job->state == JobState::kQueued) CloseQueueTime(job);
  // Nobody can go on before it is resumed: how long that takes is no time of recovery.
  history.pending_loss_ms = 0;
  Move(job, JobState::kHeld);
  job->intent = Intent::kNone;
  job->hold = hold;
  job->reason = reason;
  Say(*job, "held", reason);
}

}  // namespace baton::core
