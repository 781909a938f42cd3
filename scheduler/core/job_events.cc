#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "scheduler/core/exits.h"
#include "scheduler/core/ledger.h"
#include "scheduler/core/machine.h"
#include "scheduler/core/need_words.h"
#include "scheduler/state/job_state.h"

namespace baton::core {
namespace {

// Where the spec says what a rank needs.
std::string FieldOf(const state::JobSpec& spec, int32_t alternative) {
  return spec.any_of.empty() ? "resources" : absl::StrCat("any_of.", alternative);
}

absl::Status CheckShape(const state::JobSpec& spec) {
  if (spec.ranks_min < 1 || spec.ranks_max < spec.ranks_min) {
    return absl::InvalidArgumentError(absl::StrCat("ranks: ", spec.ranks_min, "..", spec.ranks_max,
                                                   " is no range; 1 or more are needed"));
  }
  for (int32_t i = 0; i < state::Alternatives(spec); ++i) {
    const state::Resources& r = state::NeedOf(spec, i);
    if (r.cpus_milli < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(FieldOf(spec, i), ".cpus_milli: a rank needs more than none"));
    }
    const int64_t least =
        std::min({r.memory_bytes, int64_t{r.gpus}, r.gpu_memory_bytes, r.disk_bytes});
    if (least < 0) {
      return absl::InvalidArgumentError(absl::StrCat(FieldOf(spec, i), ": a negative amount"));
    }
  }
  if (spec.shards < 0 || (spec.shards > 0 && spec.shards < spec.ranks_max)) {
    return absl::InvalidArgumentError(absl::StrCat("shards: ", spec.shards, " can't be split over ",
                                                   spec.ranks_max,
                                                   " ranks; raise shards or lower ranks"));
  }
  const int32_t each = spec.ranks_per_node;
  if (each < 0 || (each > 0 && (spec.ranks_min % each != 0 || spec.ranks_max % each != 0))) {
    return absl::InvalidArgumentError(absl::StrCat("ranks: ", spec.ranks_min, "..", spec.ranks_max,
                                                   " can't be shared out by ", each, " on a node"));
  }
  return absl::OkStatus();
}

// What a node has to have: for each of the ranks that it is to hold.
state::Resources NeedOnANode(const state::JobSpec& spec, int32_t alternative) {
  const int32_t each = policy::RankUnit(spec);
  state::Resources need = state::NeedOf(spec, alternative);
  // No node has more, and the product of what the limits allow is.
  need.cpus_milli = static_cast<int32_t>(
      std::min<int64_t>(int64_t{need.cpus_milli} * each, std::numeric_limits<int32_t>::max()));
  need.memory_bytes *= each;
  need.gpus *= each;
  need.disk_bytes = 0;  // what is free today may be more tomorrow
  return need;
}

double Gibibytes(int64_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

// The most that any one node has of each.
struct Largest {
  int64_t cpus_milli = 0;
  int64_t memory_bytes = 0;
  int64_t gpus = 0;
  int64_t gpu_memory_bytes = 0;
  std::set<std::string> gpu_types;

  void Take(const state::NodeOffer& offer) {
    cpus_milli = std::max<int64_t>(cpus_milli, offer.cpus_milli);
    memory_bytes = std::max(memory_bytes, offer.memory_bytes);
    gpus = std::max(gpus, static_cast<int64_t>(offer.gpus.size()));
    for (const state::Gpu& gpu : offer.gpus) {
      gpu_memory_bytes = std::max(gpu_memory_bytes, gpu.memory_bytes);
      gpu_types.insert(gpu.type);
    }
  }
};

// Each line goes on where the field of the resources ends. One for each field that no node has
// enough of, whatever the others are; one for all of them together where it is their combination.
std::vector<std::string> TooMuch(const state::Resources& need, const std::string& who,
                                 const Largest& largest) {
  std::vector<std::string> lines;
  if (need.cpus_milli > largest.cpus_milli) {
    lines.push_back(absl::StrFormat(
        ".cpus_milli: %s needs %g cores, no known node has more than %g", who,
        need.cpus_milli / 1000.0, static_cast<double>(largest.cpus_milli) / 1000.0));
  }
  if (need.memory_bytes > largest.memory_bytes) {
    lines.push_back(absl::StrFormat(
        ".memory_bytes: %s needs %.1f GiB of memory, no known node has more than %.1f", who,
        Gibibytes(need.memory_bytes), Gibibytes(largest.memory_bytes)));
  }
  if (need.gpus > largest.gpus) {
    lines.push_back(absl::StrFormat(".gpus: %s needs %d GPUs, no known node has more than %d", who,
                                    need.gpus, largest.gpus));
  }
  if (largest.gpus > 0 && need.gpu_memory_bytes > largest.gpu_memory_bytes) {
    lines.push_back(absl::StrFormat(
        ".gpu_memory_bytes: %s needs GPUs of %.1f GiB, none that is "
        "known has more than %.1f",
        who, Gibibytes(need.gpu_memory_bytes), Gibibytes(largest.gpu_memory_bytes)));
  }
  if (largest.gpus > 0 && !need.gpu_type.empty() && largest.gpu_types.count(need.gpu_type) == 0) {
    lines.push_back(absl::StrCat(".gpu_type: ", who, " needs GPUs of type ", need.gpu_type,
                                 ", known are ", absl::StrJoin(largest.gpu_types, ", ")));
  }
  if (!lines.empty()) return lines;
  return {
      absl::StrFormat(": %s needs %s on one node, no known node has that; the largest "
                      "have %g cores, %.1f GiB of memory, %d "
                      "GPUs",
                      who, NeedWords(need, 1, ""), static_cast<double>(largest.cpus_milli) / 1000.0,
                      Gibibytes(largest.memory_bytes), largest.gpus)};
}

// `lines`, each "field: what", as fields of the job with that index of the call.
absl::Status OfJob(size_t index, const absl::Status& status) {
  if (status.ok()) return status;
  std::string text;
  for (const absl::string_view line : absl::StrSplit(status.message(), '\n')) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", "jobs[", index, "].", line);
  }
  return absl::Status(status.code(), text);
}

}  // namespace

using state::Job;
using state::JobState;

absl::Status Machine::CouldEverRun(const state::JobSpec& spec) const {
  if (spec.queue_anyway || state_.nodes.empty()) return absl::OkStatus();
  Largest largest;
  std::string text;
  const std::string who = spec.ranks_per_node > 0 ? "a node" : "a rank";
  for (const auto& [id, room] : fleet_.rooms()) largest.Take(room.node->offer);
  for (int32_t i = 0; i < state::Alternatives(spec); ++i) {
    const state::Resources need = NeedOnANode(spec, i);
    for (const auto& [id, room] : fleet_.rooms()) {
      if (policy::RanksThatFitEmpty(room.node->offer, need, 1) > 0) return absl::OkStatus();
    }
    for (const std::string& line : TooMuch(need, who, largest)) {
      absl::StrAppend(&text, text.empty() ? "" : "\n", FieldOf(spec, i), line,
                      "; ask for less, or queue it anyway (--queue-anyway)");
    }
  }
  return absl::InvalidArgumentError(text);
}

absl::Status Machine::CheckSubmit(const state::JobsSubmitted& event) const {
  if (event.jobs.empty()) return absl::InvalidArgumentError("a submit without jobs");
  const state::JobSpec* checked = nullptr;
  std::set<state::JobId> ids;
  for (size_t i = 0; i < event.jobs.size(); ++i) {
    const state::NewJob& job = event.jobs[i];
    const bool used = state_.jobs.count(job.id) != 0 || state_.deleted.count(job.id) != 0;
    if (!ids.insert(job.id).second || used) {
      return absl::AlreadyExistsError(
          absl::StrCat("job ", job.id, " exists already, from another request"));
    }
    if (job.spec.get() == checked) continue;
    checked = job.spec.get();
    absl::Status status = CheckShape(*checked);
    if (status.ok()) status = CouldEverRun(*checked);
    if (status.ok() && !checked->from_job.empty()) status = OriginOf(*checked).status();
    if (!status.ok()) return OfJob(i, status);
  }
  return absl::OkStatus();
}

absl::Status Machine::On(const state::JobsSubmitted& event) {
  for (const state::NewJob& job : event.jobs) out_.job_ids.push_back(job.id);
  if (!event.jobs.empty()) {
    const auto deleted = state_.deleted.find(event.jobs.front().id);
    if (deleted != state_.deleted.end()) {
      if (deleted->second.request_digest == event.request_digest) return absl::OkStatus();
      out_.job_ids.clear();
      return absl::AlreadyExistsError(
          "this request id was used for another submit; make a new request id");
    }
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
    AddJob(submitted, event.submitter, event.request_digest);
  }
  return absl::OkStatus();
}

Job* Machine::AddJob(const state::NewJob& submitted,
                     const std::shared_ptr<const state::Submitter>& submitter,
                     uint64_t request_digest) {
  Job& job = state_.jobs[submitted.id];
  job.id = submitted.id;
  job.name = submitted.name;
  job.spec = submitted.spec;
  job.submitter = submitter;
  job.request_digest = request_digest;
  job.order = state_.counters.next_order++;
  job.submit_ms = now_ms_;
  job.state_since_ms = now_ms_;
  job.retries_left = submitted.spec->retries;
  if (!job.spec->from_job.empty()) {
    HistoryOf(&job).checkpoints.push_back(*OriginOf(*job.spec));
    const state::Checkpoint& origin = job.history->checkpoints.back();
    Say(job, "continues",
        absl::StrCat("begins with checkpoint ", origin.name, " of step ", origin.step, " of job ",
                     job.spec->from_job));
  }
  Enqueue(&job);
  waiting_gangs_ += IsWaitingGang(job) ? 1 : 0;
  return &job;
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
  Say(job, "cancelled", absl::StrCat(by, "; its ranks are being stopped"));
  Stop(&job, {.intent = state::Intent::kCancel,
              .cause = state::EndCause::kCancelled,
              .deadline_ms = now_ms_ + StopGraceMs(job),
              .reason = by});
  return absl::OkStatus();
}

absl::Status Machine::On(const state::JobDeleted& event) {
  const auto it = state_.jobs.find(event.job);
  if (it == state_.jobs.end()) {
    return absl::NotFoundError(absl::StrCat("no job ", event.job, " is known"));
  }
  const Job& job = it->second;
  if (!state::IsEnded(job.state)) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job.id, " is ", state::Name(job.state),
                     "; only what has ended is deleted: `baton cancel` ends it"));
  }
  if (absl::Status status = CheckTrialChange(job, "deleted"); !status.ok()) return status;
  ForgetDeleted();
  DeleteJob(job);
  return absl::OkStatus();
}

// One that has ended; `job` is where it was until the step's outputs are gone.
void Machine::DeleteJob(const Job& job) {
  state_.deleted[job.id] = {.request_digest = job.request_digest, .deleted_ms = now_ms_};
  if (job.history != nullptr) {
    // Nodes were held for it: the two ledgers go on to agree.
    state::Counters& counters = state_.counters;
    const int64_t fractions = counters.deleted_remainder + job.history->cost_remainder;
    counters.deleted_usd_micro += job.history->cost_usd_micro + fractions / kMoneyUnit;
    counters.deleted_remainder = fractions % kMoneyUnit;
  }
  undecided_.erase(job.id);
  deadlines_.Set(job.id, Deadlines::kNever);
  // The node handle keeps the job where it was, for indexes that hold its address.
  auto node = std::make_shared<std::map<state::JobId, Job>::node_type>(state_.jobs.extract(job.id));
  out_.deleted_jobs.emplace_back(node, &node->mapped());
  out_.counters_dirty = true;
}

// A request is known at least this long after its answer.
void Machine::ForgetDeleted() {
  constexpr int64_t kKnownMs = int64_t{7} * 24 * 3600 * 1000;
  for (auto it = state_.deleted.begin(); it != state_.deleted.end();) {
    if (now_ms_ - it->second.deleted_ms <= kKnownMs) {
      ++it;
      continue;
    }
    out_.forgotten.push_back(it->first);
    out_.counters_dirty = true;
    it = state_.deleted.erase(it);
  }
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
                     "; only a FAILED or CANCELLED job can be sent on again",
                     job.state == JobState::kHeld ? "; `baton resume` lets a held one go on" : ""));
  }
  if (absl::Status status = CheckTrialChange(job, "retried"); !status.ok()) return status;
  if (!event.from.empty() && event.from != state::kFromScratch) {
    static const std::vector<state::Checkpoint> kNone;
    const absl::Status known =
        FindCheckpoint(job.history == nullptr ? kNone : job.history->checkpoints, event.from)
            .status();
    if (!known.ok()) return known;
  }
  state::JobHistory& history = HistoryOf(&job);
  for (state::Attempt& attempt : history.attempts) {
    if (attempt.verdict_deadline_ms != 0) {
      CloseVerdict(&job, &attempt, state::EndCause::kCrashed);
    }
  }
  GoBackTo(&job, event.from);
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
  QueueOrHold(&job);
  return absl::OkStatus();
}

}  // namespace baton::core
