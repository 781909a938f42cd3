#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "scheduler/core/machine.h"
#include "scheduler/state/job_state.h"

namespace baton::core {
namespace {

absl::Status CheckShape(const state::JobSpec& spec) {
  if (spec.ranks_min < 1 || spec.ranks_max < spec.ranks_min) {
    return absl::InvalidArgumentError(absl::StrCat("ranks: ", spec.ranks_min, "..", spec.ranks_max,
                                                   " is no range; 1 or more are needed"));
  }
  const state::Resources& r = spec.resources;
  if (r.cpus_milli < 1) {
    return absl::InvalidArgumentError("resources.cpus: a rank needs more than none");
  }
  const int64_t least =
      std::min({r.memory_bytes, int64_t{r.gpus}, r.gpu_memory_bytes, r.disk_bytes});
  if (least < 0) return absl::InvalidArgumentError("resources: a negative amount");
  if (spec.shards < 0 || (spec.shards > 0 && spec.shards < spec.ranks_max)) {
    return absl::InvalidArgumentError(absl::StrCat("shards: ", spec.shards, " can't be split over ",
                                                   spec.ranks_max,
                                                   " ranks; raise shards or lower ranks"));
  }
  return absl::OkStatus();
}

std::string NeedWords(const state::Resources& need) {
  std::string words = absl::StrFormat("%g cores", need.cpus_milli / 1000.0);
  if (need.memory_bytes > 0) {
    absl::StrAppend(&words, absl::StrFormat(", %.1f GiB of memory",
                                            static_cast<double>(need.memory_bytes) / (1 << 30)));
  }
  if (need.gpus > 0) {
    absl::StrAppend(&words, ", ", need.gpus, " GPUs");
    if (!need.gpu_type.empty()) absl::StrAppend(&words, " of type ", need.gpu_type);
  }
  return words;
}

}  // namespace

using state::Job;
using state::JobState;

absl::Status Machine::CouldEverRun(const state::JobSpec& spec) const {
  if (spec.queue_anyway || state_.nodes.empty()) return absl::OkStatus();
  state::Resources need = spec.resources;
  need.disk_bytes = 0;  // what is free today may be more tomorrow
  int64_t cpus_milli = 0;
  int64_t memory_bytes = 0;
  size_t gpus = 0;
  for (const auto& [id, room] : fleet_.rooms()) {
    const state::NodeOffer& offer = room.node->offer;
    if (policy::RanksThatFitEmpty(offer, need, 1) > 0) return absl::OkStatus();
    cpus_milli = std::max<int64_t>(cpus_milli, offer.cpus_milli);
    memory_bytes = std::max(memory_bytes, offer.memory_bytes);
    gpus = std::max(gpus, offer.gpus.size());
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "resources: no known node could ever run this: a rank needs %s, and the largest nodes have "
      "%g cores, %.1f GiB of memory, %d GPUs; ask for less, or queue it anyway (--queue-anyway)",
      NeedWords(need), static_cast<double>(cpus_milli) / 1000.0,
      static_cast<double>(memory_bytes) / (1 << 30), gpus));
}

absl::Status Machine::CheckSubmit(const state::JobsSubmitted& event) const {
  if (event.jobs.empty()) return absl::InvalidArgumentError("a submit without jobs");
  const state::JobSpec* checked = nullptr;
  std::set<state::JobId> ids;
  for (const state::NewJob& job : event.jobs) {
    if (!ids.insert(job.id).second || state_.jobs.count(job.id) != 0) {
      return absl::AlreadyExistsError(
          absl::StrCat("job ", job.id, " exists already, from another request"));
    }
    if (job.spec.get() == checked) continue;
    checked = job.spec.get();
    absl::Status status = CheckShape(*checked);
    if (status.ok()) status = CouldEverRun(*checked);
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat("job ", job.name, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status Machine::On(const state::JobsSubmitted& event) {
  for (const state::NewJob& job : event.jobs) out_.job_ids.push_back(job.id);
  if (!event.jobs.empty()) {
    const auto seen = state_.jobs.find(event.jobs.front().id);
    if (seen != state_.jobs.end() && seen->second.request_digest == event.request_digest) {
      return absl::OkStatus();
    }
    if (seen != state_.jobs.end()) {
      out_.job_ids.clear();
      return absl::AlreadyExistsError(
          "this request id was used for another submit; make a new request id");
    }
  }
  if (absl::Status status = CheckSubmit(event); !status.ok()) {
    out_.job_ids.clear();
    return status;
  }
  for (const state::NewJob& submitted : event.jobs) {
    Job& job = state_.jobs[submitted.id];
    job.id = submitted.id;
    job.name = submitted.name;
    job.spec = submitted.spec;
    job.submitter = event.submitter;
    job.request_digest = event.request_digest;
    job.order = state_.counters.next_order++;
    job.submit_ms = now_ms_;
    job.state_since_ms = now_ms_;
    job.retries_left = submitted.spec->retries;
    Enqueue(&job);
  }
  return absl::OkStatus();
}

absl::Status Machine::On(const state::JobCancelled& event) {
  const auto it = state_.jobs.find(event.job);
  if (it == state_.jobs.end()) {
    return absl::NotFoundError(absl::StrCat("no job ", event.job, " is known"));
  }
  Job& job = it->second;
  if (state::IsEnded(job.state)) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job.id, " has ended already: ", state::Name(job.state)));
  }
  const std::string by = event.by.empty() ? "cancelled" : absl::StrCat("cancelled by ", event.by);
  if (job.state == JobState::kHeld || job.state == JobState::kQueued) {
    Dequeue(&job);
    CloseQueueTime(&job);
    Say(job, "cancelled", absl::StrCat(by, " while ", state::Name(job.state)));
    End(&job, JobState::kCancelled, by);
    return absl::OkStatus();
  }
  if (job.state == JobState::kStopping && job.intent == state::Intent::kCancel) {
    return absl::OkStatus();
  }
  const int64_t grace_ms =
      job.spec->notice_grace_ms > 0 ? job.spec->notice_grace_ms : state_.config.cancel_grace_ms;
  Say(job, "cancelled", absl::StrCat(by, "; its ranks are being stopped"));
  Stop(&job, {.intent = state::Intent::kCancel,
              .cause = state::EndCause::kCancelled,
              .deadline_ms = now_ms_ + grace_ms,
              .reason = by});
  return absl::OkStatus();
}

absl::Status Machine::On(const state::JobRetried& event) {
  const auto it = state_.jobs.find(event.job);
  if (it == state_.jobs.end()) {
    return absl::NotFoundError(absl::StrCat("no job ", event.job, " is known"));
  }
  Job& job = it->second;
  if (job.state != JobState::kFailed && job.state != JobState::kCancelled) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job.id, " is ", state::Name(job.state),
                     "; only a FAILED or CANCELLED job can be sent on again"));
  }
  state::JobHistory& history = HistoryOf(&job);
  for (state::Attempt& attempt : history.attempts) {
    if (attempt.verdict_deadline_ms != 0) {
      CloseVerdict(&job, &attempt, state::EndCause::kCrashed);
    }
  }
  history.phases.idle_ms += now_ms_ - history.phases_until_ms;
  history.phases_until_ms = now_ms_;
  history.retried_after = history.attempts.empty() ? 0 : history.attempts.back().number;
  job.end_ms = 0;
  job.reason.clear();
  job.retries_left = job.spec->retries;
  job.order = state_.counters.next_order++;
  Move(&job, JobState::kQueued);
  const std::string from =
      history.checkpoints.empty()
          ? "from the start"
          : absl::StrCat("from the checkpoint of step ", history.checkpoints.back().step);
  Say(job, "retried",
      absl::StrCat("sent on again", event.by.empty() ? "" : " by ", event.by, ", ", from));
  Enqueue(&job);
  return absl::OkStatus();
}

}  // namespace baton::core
