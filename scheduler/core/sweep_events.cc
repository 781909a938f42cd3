// Sweeps: which trial comes next is asked of the sampler, one at a time; what a trial was worth is
// asked when its job has ended. Both questions are effects that follow from the state, so that they
// are put again after a restart, and an answer to none is refused.
#include <algorithm>
#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/ids.h"
#include "scheduler/core/machine.h"
#include "scheduler/core/sweep_rules.h"
#include "scheduler/state/job_state.h"

namespace baton::core {

using state::Job;
using state::JobState;
using state::Sweep;
using state::SweepState;
using state::Trial;
using state::TrialPhase;

// To be called before the sweep changes: what was asked before tells what is to be asked anew.
Sweep* Machine::TouchSweep(const state::SweepId& id) {
  Sweep& sweep = state_.sweeps.at(id);
  touched_sweeps_.try_emplace(id, OpenSuggestion(sweep));
  return &sweep;
}

void Machine::MarkTrial(const Trial& trial, const Sweep& sweep) {
  dirty_trials_.insert({sweep.id, trial.index});
}

void Machine::SaySweep(const Sweep& sweep, absl::string_view code, std::string text) {
  out_.notes.push_back({.job = sweep.id,
                        .at_ms = now_ms_,
                        .attempt = 0,
                        .code = std::string(code),
                        .text = std::move(text)});
}

void Machine::AskForTrials() {
  for (const auto& [id, asked] : touched_sweeps_) {
    const int32_t open = OpenSuggestion(state_.sweeps.at(id));
    if (open == 0 || open == asked) continue;
    out_.effects.push_back(state::SuggestTrial{.sweep = id, .index = open});
  }
}

// All that is open, for an edge that knows nothing.
void Machine::AskAllAgain() {
  for (const auto& [id, sweep] : state_.sweeps) {
    if (state::IsEnded(sweep.state)) continue;
    for (const Trial& trial : sweep.trials) {
      if (trial.phase != TrialPhase::kReading) continue;
      out_.effects.push_back(state::ReadTrial{.sweep = id, .index = trial.index, .job = trial.job});
    }
    if (const int32_t open = OpenSuggestion(sweep); open != 0) {
      out_.effects.push_back(state::SuggestTrial{.sweep = id, .index = open});
    }
  }
}

absl::StatusOr<const Sweep*> Machine::FindSweep(const state::SweepId& id) const {
  const auto it = state_.sweeps.find(id);
  if (it == state_.sweeps.end()) {
    return absl::NotFoundError(
        absl::StrCat("no sweep ", id, " is known; `baton sweeps` lists them"));
  }
  return &it->second;
}

absl::Status Machine::On(const state::SweepSubmitted& event) {
  const auto seen = state_.sweeps.find(event.id);
  if (seen != state_.sweeps.end()) {
    if (seen->second.request_digest == event.request_digest) return absl::OkStatus();
    return absl::AlreadyExistsError(
        "this request id was used for another sweep; make a new request id");
  }
  const auto gone = state_.deleted.find(event.id);
  if (gone != state_.deleted.end()) {
    if (gone->second.request_digest == event.request_digest) return absl::OkStatus();
    return absl::AlreadyExistsError(
        "this request id was used for a sweep that has been deleted; make a new request id");
  }
  state::JobsSubmitted like;
  like.jobs.push_back({.id = JobId(event.id, 1), .name = event.name, .spec = event.spec});
  if (absl::Status status = CheckSubmit(like); !status.ok()) return status;
  if (event.plan.trials_max < 1 || event.plan.parallel_max < 1) {
    return absl::InvalidArgumentError("a sweep has at least one trial, and one at a time");
  }
  Sweep& sweep = state_.sweeps[event.id];
  sweep.id = event.id;
  sweep.name = event.name;
  sweep.plan = event.plan;
  sweep.spec = event.spec;
  sweep.submitter = event.submitter;
  sweep.request_digest = event.request_digest;
  sweep.submit_ms = now_ms_;
  touched_sweeps_[event.id] = 0;
  SaySweep(sweep, "sweep",
           absl::StrCat("up to ", event.plan.trials_max, " trials, ", event.plan.parallel_max,
                        " at a time, for ", GoalWords(event.plan)));
  return absl::OkStatus();
}

absl::Status Machine::On(const state::TrialSuggested& event) {
  const auto found = FindSweep(event.sweep);
  if (!found.ok()) return found.status();
  if (event.index == 0 || event.index != OpenSuggestion(**found)) {
    return absl::FailedPreconditionError(
        absl::StrCat("sweep ", event.sweep, " waits for no trial ", event.index));
  }
  std::string over = event.over;
  // The job that all trials begin with may have been deleted since.
  if (over.empty() && event.spec != nullptr && !event.spec->from_job.empty()) {
    over = std::string(OriginOf(*event.spec).status().message());
  }
  if (!over.empty()) {
    Sweep* sweep = TouchSweep(event.sweep);
    sweep->over = over;
    SaySweep(*sweep, "no-more-trials", over);
    EndIfOver(sweep);
    return absl::OkStatus();
  }
  const bool its_own =
      event.spec != nullptr && event.spec->sweep == event.sweep && event.spec->trial == event.index;
  if (!its_own) return absl::InvalidArgumentError("the spec is another trial's");
  const state::JobId id = JobId(event.sweep, static_cast<uint32_t>(event.index));
  if (state_.jobs.count(id) != 0 || state_.deleted.count(id) != 0) {
    return absl::AlreadyExistsError(absl::StrCat("job ", id, " exists already"));
  }
  Sweep* sweep = TouchSweep(event.sweep);
  Trial& trial = sweep->trials.emplace_back();
  trial.index = event.index;
  trial.job = id;
  trial.params_json = event.params_json;
  ++sweep->live;
  MarkTrial(trial, *sweep);
  Job* job =
      AddJob({.id = id, .name = absl::StrCat(sweep->name, "-", event.index), .spec = event.spec},
             sweep->submitter, sweep->request_digest);
  Say(*job, "trial",
      absl::StrCat("trial ", event.index, " of sweep ", sweep->name, ": ", event.params_json));
  return absl::OkStatus();
}

// The job is any that has just ended.
void Machine::EndTrial(const Job& job) {
  if (job.spec->sweep.empty() || state_.sweeps.count(job.spec->sweep) == 0) return;
  Sweep* sweep = TouchSweep(job.spec->sweep);
  Trial& trial = sweep->trials.at(static_cast<size_t>(job.spec->trial - 1));
  BATON_CHECK(trial.phase == TrialPhase::kLive, "trial " + job.id + " ended twice");
  trial.phase = TrialPhase::kReading;
  trial.outcome = job.state;
  --sweep->live;
  ++sweep->reading;
  MarkTrial(trial, *sweep);
  out_.effects.push_back(
      state::ReadTrial{.sweep = sweep->id, .index = trial.index, .job = trial.job});
}

absl::Status Machine::On(const state::TrialReported& event) {
  const auto found = FindSweep(event.sweep);
  if (!found.ok()) return found.status();
  const auto& trials = (*found)->trials;
  const bool known = event.index >= 1 && static_cast<size_t>(event.index) <= trials.size();
  if (!known || trials[static_cast<size_t>(event.index - 1)].phase != TrialPhase::kReading) {
    return absl::FailedPreconditionError(
        absl::StrCat("sweep ", event.sweep, " waits for no report of a trial ", event.index));
  }
  Sweep* sweep = TouchSweep(event.sweep);
  Trial& trial = sweep->trials[static_cast<size_t>(event.index - 1)];
  trial.phase = TrialPhase::kDone;
  trial.has_metric = event.has_metric && IsFinite(event.metric_bits);
  trial.metric_bits = trial.has_metric ? event.metric_bits : 0;
  trial.step = event.step;
  trial.detail = event.detail;
  --sweep->reading;
  MarkTrial(trial, *sweep);
  if (Counts(trial)) {
    ++sweep->scored;
    sweep->best = BetterOf(*sweep, sweep->best, trial.index);
  }
  SaySweep(*sweep, "trial",
           absl::StrCat("trial ", trial.index, " is ", state::Name(trial.outcome),
                        trial.has_metric ? absl::StrCat(", ", sweep->plan.metric, " ",
                                                        std::bit_cast<double>(trial.metric_bits))
                                         : std::string(", without a value"),
                        trial.detail.empty() ? "" : ": ", trial.detail,
                        sweep->best == trial.index ? "; it is the best so far" : ""));
  EndIfOver(sweep);
  return absl::OkStatus();
}

absl::Status Machine::On(const state::SweepStopped& event) {
  const auto found = FindSweep(event.sweep);
  if (!found.ok()) return found.status();
  if (state::IsEnded((*found)->state)) {
    return absl::FailedPreconditionError(
        absl::StrCat("sweep ", event.sweep, " has ended already: ", state::Name((*found)->state)));
  }
  if ((*found)->state == SweepState::kStopping) return absl::OkStatus();
  Sweep* sweep = TouchSweep(event.sweep);
  sweep->state = SweepState::kStopping;
  sweep->reason = event.by.empty() ? "cancelled" : absl::StrCat("cancelled by ", event.by);
  SaySweep(*sweep, "cancelled", absl::StrCat(sweep->reason, "; its trials are being stopped"));
  for (const Trial& trial : sweep->trials) {
    if (trial.phase != TrialPhase::kLive) continue;
    const absl::Status cancelled = On(state::JobCancelled{.job = trial.job, .by = event.by});
    BATON_CHECK(cancelled.ok(), std::string(cancelled.message()));
  }
  EndIfOver(sweep);
  return absl::OkStatus();
}

absl::Status Machine::On(const state::SweepDeleted& event) {
  const auto found = state_.sweeps.find(event.sweep);
  if (found == state_.sweeps.end()) return FindSweep(event.sweep).status();
  if (!state::IsEnded(found->second.state)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "sweep ", found->second.name, " (", event.sweep, ") is ", state::Name(found->second.state),
        "; only what has ended is deleted: `baton cancel` ends it, with its trials"));
  }
  ForgetDeleted();
  // Some may have been deleted one by one.
  for (const Trial& trial : found->second.trials) {
    const auto job = state_.jobs.find(trial.job);
    if (job != state_.jobs.end()) DeleteJob(job->second);
  }
  state_.deleted[event.sweep] = {.request_digest = found->second.request_digest,
                                 .deleted_ms = now_ms_};
  out_.deleted_sweeps.push_back(std::make_shared<const Sweep>(std::move(found->second)));
  state_.sweeps.erase(found);
  out_.counters_dirty = true;
  return absl::OkStatus();
}

void Machine::EndIfOver(Sweep* sweep) {
  if (sweep->live > 0 || sweep->reading > 0 || OpenSuggestion(*sweep) != 0) return;
  if (sweep->state == SweepState::kStopping) {
    sweep->state = SweepState::kCancelled;
  } else if (sweep->scored > 0) {
    sweep->state = SweepState::kSucceeded;
    sweep->reason = sweep->over;
  } else {
    sweep->state = SweepState::kFailed;
    sweep->reason = HopelessWords(*sweep);
  }
  sweep->end_ms = now_ms_;
  std::string text = sweep->reason;
  if (sweep->best != 0) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", "the best is trial ", sweep->best);
  }
  SaySweep(*sweep, "ended",
           absl::StrCat(state::Name(sweep->state), text.empty() ? "" : ": ", text));
}

absl::Status Machine::CheckTrialChange(const Job& job, absl::string_view what) const {
  if (job.spec->sweep.empty()) return absl::OkStatus();
  const auto found = state_.sweeps.find(job.spec->sweep);
  if (found == state_.sweeps.end()) return absl::OkStatus();
  const Trial& trial = found->second.trials.at(static_cast<size_t>(job.spec->trial - 1));
  if (what == "deleted" && trial.phase == TrialPhase::kDone) return absl::OkStatus();
  if (what == "deleted") {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job.id, " is trial ", trial.index, " of sweep ", found->second.name,
                     ", which still reads its result; try again in a moment"));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "job ", job.id, " is trial ", trial.index, " of sweep ", found->second.name,
      ", which has counted how it ended; submit the script with these flags as a job of its own (",
      trial.params_json, ")"));
}

}  // namespace baton::core
