#include "scheduler/core/invariants.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "scheduler/core/exits.h"
#include "scheduler/core/ledger.h"
#include "scheduler/state/job_state.h"

namespace baton::core {
namespace {

using state::Attempt;
using state::Job;
using state::JobState;
using state::Task;
using state::TaskPhase;

bool Holds(const Task& task) {
  return task.phase != TaskPhase::kExited && task.phase != TaskPhase::kLost;
}

std::string About(const Job& job, absl::string_view what) {
  return absl::StrCat("job ", job.id, " (", state::Name(job.state), "): ", what);
}

bool SharedOutAsAsked(const state::JobSpec& spec, const Attempt& attempt) {
  if (spec.ranks_per_node == 0) return true;
  std::map<state::NodeId, int32_t> ranks;
  for (size_t rank = 0; rank < attempt.members.size(); ++rank) {
    ++ranks[MemberOf(attempt, rank).node];
  }
  return std::all_of(ranks.begin(), ranks.end(),
                     [&](const auto& node) { return node.second == spec.ranks_per_node; });
}

}  // namespace

std::string OneLiveAttempt(const Job& job) {
  const bool should_live = job.state == JobState::kStarting || job.state == JobState::kRunning ||
                           job.state == JobState::kRescaling || job.state == JobState::kStopping;
  if (should_live != (job.LiveAttempt() != nullptr)) {
    return About(job, "its state and its attempts differ on whether it lives");
  }
  if (job.history == nullptr) return "";
  int32_t number = 0;
  state::Token token = 0;
  for (const Attempt& attempt : job.history->attempts) {
    const bool newest = &attempt == &job.history->attempts.back();
    if (attempt.end_ms == 0 && !newest) return About(job, "two attempts live");
    if (attempt.number <= number) return About(job, "attempts are out of order");
    if (attempt.token <= token) return About(job, "tokens do not rise");
    number = attempt.number;
    token = attempt.token;
    if (std::string wrong = MembersInOrder(job, attempt); !wrong.empty()) return wrong;
    const bool in_range =
        attempt.world_size >= job.spec->ranks_min && attempt.world_size <= job.spec->ranks_max;
    if (!in_range) return About(job, "a world size outside its range");
    if (!SharedOutAsAsked(*job.spec, attempt)) {
      return About(job, "not so many ranks on each node as it asks for");
    }
    if (attempt.alternative < 0 || attempt.alternative >= state::Alternatives(*job.spec)) {
      return About(job, "an alternative that it does not have");
    }
    const size_t gpus = static_cast<size_t>(state::NeedOf(*job.spec, attempt).gpus);
    const bool by_alternative = std::all_of(attempt.tasks.begin(), attempt.tasks.end(),
                                            [&](const Task& t) { return t.gpus.size() == gpus; });
    if (!by_alternative) return About(job, "other GPUs than its alternative says");
    for (size_t i = 0; i < attempt.tasks.size(); ++i) {
      const Task& task = attempt.tasks[i];
      if (task.rank != static_cast<int32_t>(i)) return About(job, "a rank twice");
      if (attempt.end_ms != 0 && Holds(task)) return About(job, "an ended attempt has a live task");
    }
  }
  return "";
}

std::string LiveTasksOnUpNodes(const state::State& state, const Job& job) {
  const Attempt* attempt = job.LiveAttempt();
  if (attempt == nullptr) return "";
  for (const Task& task : attempt->tasks) {
    if (!Holds(task)) continue;
    const auto node = state.nodes.find(task.node);
    if (node == state.nodes.end() || !node->second.up) {
      return About(job, absl::StrCat("a live task on node ", task.node, ", which is not up"));
    }
  }
  return "";
}

std::string PhasesAddUp(const Core& core, const Job& job, int64_t now_ms) {
  const state::Phases p = core.PhasesAt(job, now_ms);
  const int64_t least = std::min({p.queue_ms, p.provision_ms, p.setup_ms, p.restore_ms, p.train_ms,
                                  p.save_ms, p.lost_ms, p.idle_ms});
  if (least < 0) return About(job, "a phase is negative");
  const int64_t sum = p.queue_ms + p.provision_ms + p.setup_ms + p.restore_ms + p.train_ms +
                      p.save_ms + p.lost_ms + p.idle_ms;
  const int64_t wall = (job.end_ms != 0 ? job.end_ms : now_ms) - job.submit_ms;
  if (sum == wall) return "";
  return About(job, absl::StrCat("its phases add up to ", sum, " ms of ", wall));
}

std::string CheckpointsInOrder(const Job& job) {
  if (job.history == nullptr) return "";
  const auto& checkpoints = job.history->checkpoints;
  std::set<std::string> names;
  int64_t step = 0;
  for (const state::Checkpoint& c : checkpoints) {
    if (!names.insert(c.name).second) return About(job, "two checkpoints of one name");
    if (c.manifest_digest.empty()) return About(job, "a committed checkpoint without digest");
    if (c.step != 0 && c.step <= step) return About(job, "checkpoint steps do not grow");
    step = std::max(step, c.step);
  }
  const Attempt* attempt = job.LiveAttempt();
  const bool kept =
      attempt == nullptr || attempt->resume_name.empty() || names.count(attempt->resume_name) != 0;
  if (!kept) return About(job, "the checkpoint that a live attempt uses is gone");
  const auto most = static_cast<size_t>(std::max(1, job.spec->checkpoints_kept)) + 1;
  if (checkpoints.size() > most) return About(job, "more checkpoints than it keeps");
  return "";
}

std::string RetriesCoverVerdicts(const Job& job) {
  if (job.retries_left < 0) return About(job, "less than no retries");
  if (job.LiveAttempt() == nullptr) return "";
  if (OpenVerdicts(*job.history) <= job.retries_left) return "";
  return About(job, "it runs though its open verdicts may have used up its retries");
}

std::string EndIsTold(const Job& job) {
  if (state::IsEnded(job.state) != (job.end_ms != 0)) {
    return About(job, "its state and its end differ");
  }
  const bool needs_reason = job.state == JobState::kFailed || job.state == JobState::kCancelled;
  if (needs_reason && job.reason.empty()) return About(job, "it ended without a reason");
  return "";
}

std::string HoldIsTold(const Job& job) {
  if ((job.state == JobState::kHeld) != (job.hold != state::Hold::kNone)) {
    return About(job, "its state and its hold differ");
  }
  if (job.state == JobState::kHeld && job.reason.empty()) {
    return About(job, "it is held without a reason");
  }
  return "";
}

std::string WaitsForAReason(const Core& core, const Job& job, int64_t now_ms) {
  if (job.state != JobState::kQueued) return "";
  const std::string reason = core.Explain(job.id, now_ms);
  if (reason.empty()) return About(job, "it waits without a reason");
  const bool next = reason == kItsTurnIsNext;
  if (next && core.NextDeadline() > now_ms) {
    return About(job, "it could start, and no pass is due");
  }
  return "";
}

std::string NoDeviceTwice(const state::State& state) {
  struct Sum {
    int64_t cpus_milli = 0;
    int64_t memory_bytes = 0;
    std::set<int32_t> gpus;
  };
  std::map<state::NodeId, Sum> sums;
  for (const auto& [id, job] : state.jobs) {
    const Attempt* attempt = job.LiveAttempt();
    if (attempt == nullptr) continue;
    for (const Task& task : attempt->tasks) {
      if (!Holds(task)) continue;
      Sum& sum = sums[task.node];
      const state::Resources& need = state::NeedOf(*job.spec, *attempt);
      sum.cpus_milli += need.cpus_milli;
      sum.memory_bytes += need.memory_bytes;
      for (const int32_t gpu : task.gpus) {
        if (!sum.gpus.insert(gpu).second) {
          return absl::StrCat("node ", task.node, ": two tasks hold GPU ", gpu);
        }
      }
    }
  }
  for (const auto& [id, sum] : sums) {
    const auto node = state.nodes.find(id);
    if (node == state.nodes.end()) return absl::StrCat("a task on node ", id, ", never seen");
    const state::NodeOffer& offer = node->second.offer;
    if (sum.cpus_milli > offer.cpus_milli || sum.memory_bytes > offer.memory_bytes) {
      return absl::StrCat("node ", id, " is given away twice");
    }
  }
  return "";
}

std::string MoneyAgrees(const state::State& state) {
  __int128 paid = static_cast<__int128>(state.counters.deleted_usd_micro) * kMoneyUnit +
                  state.counters.deleted_remainder;
  __int128 held = 0;
  for (const auto& [id, job] : state.jobs) {
    if (job.history == nullptr) continue;
    paid += static_cast<__int128>(job.history->cost_usd_micro) * kMoneyUnit;
    paid += job.history->cost_remainder;
  }
  for (const auto& [id, node] : state.nodes) {
    held += static_cast<__int128>(node.held_usd_micro) * kMoneyUnit + node.held_remainder;
  }
  if (paid == held) return "";
  return absl::StrCat("jobs paid ", static_cast<int64_t>(paid / kMoneyUnit),
                      " micro-USD, nodes were held for ", static_cast<int64_t>(held / kMoneyUnit));
}

std::string TokensAreUnique(const state::State& state) {
  std::set<state::Token> tokens;
  for (const auto& [id, job] : state.jobs) {
    if (job.history == nullptr) continue;
    for (const Attempt& attempt : job.history->attempts) {
      if (!tokens.insert(attempt.token).second) return About(job, "a token was given twice");
      if (attempt.token >= state.counters.next_token) return About(job, "a token from the future");
    }
  }
  return "";
}

}  // namespace baton::core
