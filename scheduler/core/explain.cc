// Why a job is in its state, in words. For a queued one the same code that decides is asked.
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "scheduler/core/exits.h"
#include "scheduler/core/labels.h"
#include "scheduler/core/machine.h"
#include "scheduler/core/need_words.h"
#include "scheduler/policy/backfill.h"
#include "scheduler/state/job_state.h"

namespace baton::core {
namespace {

using policy::WhyNot;
using state::Attempt;
using state::Job;
using state::JobState;

std::string Seconds(int64_t ms) {
  return absl::StrCat(std::max<int64_t>(0, (ms + 999) / 1000), " s");
}

// What it needs, and how much of that is there: "needs 2 nodes with 4 free cores each; 1 has it".
std::string AskWords(const policy::Ask& ask, int64_t fit) {
  const state::JobSpec& spec = *ask.spec;
  const int32_t each = spec.ranks_per_node;
  if (each > 0 && spec.ranks_min > 1) {
    const int64_t nodes = spec.ranks_min / each;
    const int64_t there = fit / each;
    return absl::StrCat("needs ", nodes, nodes == 1 ? " node" : " nodes", " with ",
                        NeedWords(ask.need(), each, "free "), nodes == 1 ? "; " : " each; ",
                        there == 0 ? "none" : absl::StrCat(there),
                        there > 1 ? " have it" : " has it");
  }
  return absl::StrCat(
      "needs ", NeedWords(ask.need(), 1, "free "),
      spec.ranks_min == 1 ? "" : absl::StrCat(" for each of ", spec.ranks_min, " ranks"), "; ", fit,
      " would fit now");
}

std::string Words(WhyNot why, const policy::Ask& ask, const Job& job, const state::Node& node) {
  switch (why) {
    case WhyNot::kNothing:
      return "with room";
    case WhyNot::kTooSmall:
      return "too small even when empty";
    case WhyNot::kGpuType:
      return ask.need().gpu_type.empty()
                 ? "without such GPUs"
                 : absl::StrCat("without such ", ask.need().gpu_type, " GPUs");
    case WhyNot::kDisk:
      return "with too little free disk";
    case WhyNot::kDown:
      return "lost";
    case WhyNot::kDrained:
      return "drained";
    case WhyNot::kNotice:
      return absl::StrCat("with a notice (", node.notice.kind, ")");
    case WhyNot::kCapacity:
      if (node.offer.spot && job.history != nullptr && job.history->on_demand_only) {
        return "spot, which has taken it away again and again";
      }
      return node.offer.spot ? "spot, where on-demand is asked for"
                             : "on-demand, where spot is asked for";
    case WhyNot::kLabel:
      return absl::StrCat("without the label ", MissingLabel(job.spec->require, node.offer));
    case WhyNot::kDeviceKind:
      return absl::StrCat("of another device kind than ", job.history->device_kind,
                          ", on which the job has begun");
    case WhyNot::kUnheard:
      return "not heard of since the scheduler's start";
    case WhyNot::kBusy:
      return "busy";
    case WhyNot::kPromised:
      return "kept for a job earlier in the queue";
  }
  return "";
}

}  // namespace

std::string Machine::PromiseWords(const state::JobId& job) const {
  const auto held = promises_.find(job);
  if (held == promises_.end() || held->second.empty()) return "";
  std::vector<std::string> names;
  for (const state::NodeId& id : held->second) {
    if (names.size() < 4) names.push_back(NodeName(id));
  }
  const size_t others = held->second.size() - names.size();
  return absl::StrCat("what gets free on ", absl::StrJoin(names, ", "),
                      others > 0 ? absl::StrCat(" and ", others, " more nodes") : "",
                      " is kept for it");
}

// Nodes by what keeps the job away from them: "busy: spot-a, spot-b; drained: c". Of each
// alternative.
std::string Machine::ExplainPlacement(const Job& job) const {
  policy::Ask ask = AskOf(job);
  for (const auto& [holder, nodes] : promises_) {
    if (holder != job.id) ask.honoured.insert(holder);
  }
  std::vector<std::string> words;
  for (ask.alternative = 0; ask.alternative < state::Alternatives(*job.spec); ++ask.alternative) {
    words.push_back(ExplainAlternative(job, ask));
  }
  const std::string unknown = UnknownLabels(job.spec->require, state_);
  return absl::StrCat(absl::StrJoin(words, "; or "), unknown.empty() ? "" : "; ", unknown);
}

std::string Machine::ExplainAlternative(const Job& job, const policy::Ask& ask) const {
  constexpr size_t kNamedMax = 3;
  std::map<std::string, std::pair<size_t, std::vector<std::string>>> by_reason;
  int64_t fit = 0;
  for (const auto& [id, room] : fleet_.rooms()) {
    const WhyNot why = policy::WhyNotHere(room, ask);
    fit += policy::RanksHere(room, ask, job.spec->ranks_max);
    auto& [count, names] = by_reason[Words(why, ask, job, *room.node)];
    if (++count <= kNamedMax) names.push_back(NodeName(id));
  }
  std::vector<std::string> parts;
  for (const auto& [reason, nodes] : by_reason) {
    const size_t more = nodes.first - nodes.second.size();
    parts.push_back(absl::StrCat(reason, ": ", absl::StrJoin(nodes.second, ", "),
                                 more > 0 ? absl::StrCat(" and ", more, " more") : ""));
  }
  std::string words = AskWords(ask, fit);
  if (fit >= job.spec->ranks_min && job.spec->ranks_min > 1) {
    absl::StrAppend(&words, ReachWords(ask));
  }
  return absl::StrCat(words, "; ", absl::StrJoin(parts, "; "));
}

std::string Machine::ExplainQueued(const Job& job, int64_t now_ms) const {
  const int64_t held_until_ms = HeldBackUntil(job);
  if (held_until_ms == Deadlines::kNever) {
    return absl::StrCat("waits ", Seconds(NextVerdict(job) - 1 - now_ms),
                        " to learn whether a node was lost: without that, the last failure (",
                        job.history->attempts.back().detail, ") has used up its retries");
  }
  if (held_until_ms > now_ms) {
    return absl::StrCat("waits ", Seconds(held_until_ms - now_ms),
                        " before it is tried again; last: ", job.history->attempts.back().detail);
  }
  if (state_.nodes.empty()) return "no node has joined yet";
  policy::Ask ask = AskOf(job);
  if (!policy::Place(fleet_, ask).has_value()) {
    const std::string kept = PromiseWords(job.id);
    return absl::StrCat(ExplainPlacement(job), kept.empty() ? "" : "; ", kept);
  }
  for (const auto& [holder, nodes] : promises_) {
    if (holder != job.id) ask.honoured.insert(holder);
  }
  if (!policy::Place(fleet_, ask).has_value()) return ExplainPlacement(job);
  return kItsTurnIsNext;
}

std::string Machine::Explain(const state::JobId& id, int64_t now_ms) const {
  const auto it = state_.jobs.find(id);
  if (it == state_.jobs.end()) return absl::StrCat("no job ", id, " is known");
  const Job& job = it->second;
  const Attempt* attempt = job.LiveAttempt();
  switch (job.state) {
    case JobState::kHeld:
      return absl::StrCat(job.reason, "; `baton resume ", job.id, "` lets it go on");
    case JobState::kQueued:
      return ExplainQueued(job, now_ms);
    case JobState::kStarting:
      return absl::StrCat(
          "attempt ", attempt->number, " is being prepared on ", NodeNames(*attempt),
          job.spec->prepare_limit_ms == 0
              ? ""
              : "; data and environments may take long, and what a setup prints is in "
                "`baton logs " +
                    job.id + "`");
    case JobState::kRunning:
    case JobState::kRescaling:
      return ExplainRunning(job);
    case JobState::kStopping:
      return absl::StrCat("attempt ", attempt->number, " is being stopped: ", attempt->stop_reason);
    case JobState::kSucceeded:
      return job.reason.empty() ? "all ranks exited with code 0" : job.reason;
    case JobState::kFailed:
    case JobState::kCancelled:
      return job.reason;
  }
  return "";
}

}  // namespace baton::core
