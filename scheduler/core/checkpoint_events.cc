#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "scheduler/core/exits.h"
#include "scheduler/core/fence.h"
#include "scheduler/core/machine.h"

namespace baton::core {

using state::Checkpoint;
using state::Job;

absl::Status Machine::CheckCheckpoint(const state::CheckpointUploaded& event,
                                      const std::vector<Checkpoint>& committed, bool* known) const {
  if (event.name.empty() || event.manifest_digest.empty()) {
    return absl::InvalidArgumentError("a checkpoint without name or digest");
  }
  int64_t newest_step = 0;
  for (const Checkpoint& c : committed) {
    newest_step = std::max(newest_step, c.step);
    if (c.name != event.name) continue;
    *known = c.manifest_digest == event.manifest_digest;
    if (*known) return absl::OkStatus();
    return absl::AlreadyExistsError(absl::StrCat(
        "checkpoint ", event.name, " was committed with other bytes by rank ", c.rank,
        " in attempt ", c.attempt, "; ranks that write one name must write the same bytes"));
  }
  if (event.step != 0 && event.step <= newest_step) {
    return absl::FailedPreconditionError(absl::StrCat("checkpoint ", event.name, " of step ",
                                                      event.step, " is not beyond step ",
                                                      newest_step, ", which is committed"));
  }
  return absl::OkStatus();
}

absl::Status Machine::On(const state::CheckpointUploaded& event) {
  state::AckCheckpoint ack;
  ack.node = event.node;
  ack.task = event.task;
  ack.name = event.name;
  const auto fenced = Fence(state_, event.task, event.node, "");
  bool known = false;
  absl::Status status = fenced.status();
  if (status.ok() && IsJoiner(*fenced->task)) {
    status = absl::FailedPreconditionError(
        absl::StrCat("task ", event.task.rank, " has not joined its gang yet and has no state"));
  }
  if (status.ok()) status = CheckCheckpoint(event, fenced->job->history->checkpoints, &known);
  ack.committed = status.ok();
  ack.refusal = std::string(status.message());
  out_.effects.push_back(ack);
  if (!status.ok() || known) return status;
  Job& job = *fenced->job;
  const state::Attempt& attempt = *fenced->attempt;
  state::JobHistory& history = *job.history;
  const int64_t taken_ms =
      event.taken_ms == 0 ? now_ms_ : std::clamp(event.taken_ms, attempt.start_ms, now_ms_);
  history.checkpoints.push_back({.name = event.name,
                                 .step = event.step,
                                 .bytes = event.bytes,
                                 .manifest_digest = event.manifest_digest,
                                 .taken_ms = taken_ms,
                                 .committed_ms = now_ms_,
                                 .attempt = attempt.number,
                                 .rank = event.task.rank});
  job.retries_left = job.spec->retries;
  state::Task& task = *fenced->task;
  if (event.step > task.last_step) {
    task.last_step = event.step;
    task.last_step_ms = std::max(task.last_step_ms, taken_ms);
  }
  if (job.spec->shards > 0 && history.device_kind.empty()) {
    history.device_kind = state_.nodes.at(task.node).offer.device_kind;
  }
  Retain(&job);
  MarkJob(job);
  Say(job, "checkpoint",
      absl::StrFormat("%s of step %d is committed (%d bytes)", event.name, event.step,
                      event.bytes));
  return absl::OkStatus();
}

// The newest ones, and the one that the live attempt started from.
void Machine::Retain(Job* job) {
  std::vector<Checkpoint>& kept = job->history->checkpoints;
  const auto keep = static_cast<size_t>(std::max(1, job->spec->checkpoints_kept));
  const state::Attempt* attempt = job->LiveAttempt();
  const std::string in_use = attempt == nullptr ? "" : attempt->resume_name;
  size_t newer = kept.size();
  std::erase_if(kept, [&](const Checkpoint& c) { return newer-- > keep && c.name != in_use; });
}

void Machine::DropCheckpoint(Job* job, const std::string& name, absl::string_view why) {
  std::vector<Checkpoint>& kept = job->history->checkpoints;
  if (std::erase_if(kept, [&](const Checkpoint& c) { return c.name == name; }) == 0) return;
  MarkJob(*job);
  const std::string from = kept.empty()
                               ? "the start, since there is no earlier one"
                               : absl::StrCat(kept.back().name, " of step ", kept.back().step);
  Say(*job, "checkpoint-given-up",
      absl::StrCat("checkpoint ", name, " ", why, " and is given up; the job goes on from ", from));
}

// A checkpoint on which the program crashes again and again may be the reason: the one before it is
// tried. Not that of another job with which this one was to begin: without it, it is another job.
void Machine::GiveUpCrashLoop(Job* job) {
  state::JobHistory& history = *job->history;
  if (history.checkpoints.empty() || history.checkpoints.back().attempt == 0) return;
  const std::string name = history.checkpoints.back().name;
  if (policy::CrashesOn(history, name) < policy::kCrashesForGivingUp) return;
  absl::StrAppend(&history.attempts.back().detail, "; checkpoint ", name, " is given up");
  DropCheckpoint(job, name, "was begun with twice in a row and crashed without a step");
}

// The checkpoint of another job with which a job of this spec begins, as its own.
absl::StatusOr<Checkpoint> Machine::OriginOf(const state::JobSpec& spec) const {
  const auto job = state_.jobs.find(spec.from_job);
  if (job == state_.jobs.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("from_job: no job ", spec.from_job, " is known; `baton jobs` lists all"));
  }
  const state::JobHistory* history = job->second.history.get();
  if (history == nullptr || history->checkpoints.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("from_job: job ", spec.from_job, " has no checkpoint"));
  }
  Checkpoint origin = history->checkpoints.back();
  if (!spec.from_checkpoint.empty()) {
    const auto found = FindCheckpoint(history->checkpoints, spec.from_checkpoint);
    if (!found.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("from_checkpoint: ", std::string(found.status().message())));
    }
    origin = *found;
  }
  origin.attempt = 0;
  origin.committed_ms = now_ms_;
  return origin;
}

// What is newer than the checkpoint `from` is given up: steps that are done again are saved again
// under the same names.
void Machine::GoBackTo(Job* job, const std::string& from) {
  if (from.empty()) return;
  std::vector<Checkpoint>& kept = job->history->checkpoints;
  size_t left = 0;
  if (from != state::kFromScratch) {
    const auto to = FindCheckpoint(kept, from);
    while (kept[left++].name != to->name) continue;
  }
  if (left == kept.size()) return;
  Say(*job, "checkpoint-given-up",
      absl::StrCat(kept.size() - left,
                   kept.size() - left == 1 ? " newer checkpoint is" : " newer checkpoints are",
                   " given up"));
  kept.resize(left);
}

}  // namespace baton::core
