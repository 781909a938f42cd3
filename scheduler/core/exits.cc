#include "scheduler/core/exits.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace baton::core {
namespace {

using state::Attempt;
using state::EndCause;
using state::JobHistory;
using state::Task;
using state::TaskPhase;

std::vector<const Task*> MembersOf(const Attempt& attempt) {
  std::vector<const Task*> members;
  for (const int32_t number : attempt.members) {
    members.push_back(&attempt.tasks[static_cast<size_t>(number)]);
  }
  return members;
}

// It ran, and its node ended it without being lost: a full disk, a dead keeper.
bool FailedByItsNode(const Attempt& attempt) {
  return attempt.cause == EndCause::kNodeLost && !BlamesProgram(attempt);
}

// Calls `visit` for each failed start and for each that was failed by its node, newest first, until
// one ran, or made a checkpoint. Those taken down by a notice or a lost node before they ran say
// nothing and are passed over.
template <typename Visit>
void ForEachStartFailure(const JobHistory& history, const Visit& visit) {
  const int32_t progressed = history.checkpoints.empty() ? 0 : history.checkpoints.back().attempt;
  for (auto a = history.attempts.rbegin(); a != history.attempts.rend(); ++a) {
    if (a->number <= history.retried_after) return;
    if (a->cause == EndCause::kStartFailed || FailedByItsNode(*a)) {
      visit(*a);
      if (a->number == progressed) return;
    } else if (a->running_ms != 0) {
      return;
    }
  }
}

}  // namespace

bool IsOrdinary(int32_t exit_code) {
  return exit_code > 0 && exit_code != kExitResumeMe && exit_code != kExitPeerLost;
}

bool AllSucceeded(const Attempt& attempt) {
  const std::vector<const Task*> members = MembersOf(attempt);
  return std::all_of(members.begin(), members.end(), [](const Task* task) {
    return task->phase == TaskPhase::kExited && task->exit_code == 0;
  });
}

bool LacksResult(const Attempt& attempt) {
  if (attempt.generation <= 1 || attempt.elastic.first_step_ms != 0) return false;
  return AllSucceeded(attempt) &&
         std::none_of(attempt.tasks.begin(), attempt.tasks.end(), [](const Task& task) {
           return task.phase == TaskPhase::kExited && task.exit_code == 0 &&
                  !task.output_digest.empty();
         });
}

std::string ErrorsOf(const Attempt& attempt) {
  std::string errors;
  for (const Task* task : MembersOf(attempt)) {
    if (task->error.empty()) continue;
    absl::StrAppend(&errors, errors.empty() ? "" : "; ", "rank ", task->rank, ": ", task->error);
  }
  return errors;
}

bool OutputsMissing(const Attempt& attempt) {
  return AllSucceeded(attempt) && !BlamesProgram(attempt);
}

bool IsHopeless(const state::JobSpec& spec, const Attempt& attempt) {
  const std::vector<const Task*> members = MembersOf(attempt);
  return spec.shards > 0 && std::any_of(members.begin(), members.end(), [](const Task* task) {
           return task->phase == TaskPhase::kExited && task->exit_code == kExitUsage &&
                  !task->infrastructure;
         });
}

bool CertainlyCrashed(const Attempt& attempt) {
  const std::vector<const Task*> members = MembersOf(attempt);
  const bool all_told = std::all_of(members.begin(), members.end(), [](const Task* task) {
    return task->phase == TaskPhase::kExited;
  });
  return all_told && std::any_of(members.begin(), members.end(),
                                 [](const Task* task) { return IsOrdinary(task->exit_code); });
}

EndCause CrashCause(const Attempt& attempt) {
  bool peer_lost = false;
  for (const Task* task : MembersOf(attempt)) {
    if (task->phase != TaskPhase::kExited || task->exit_code == 0) continue;
    if (task->exit_code != kExitPeerLost) return EndCause::kCrashed;
    peer_lost = true;
  }
  return peer_lost ? EndCause::kPeerLost : EndCause::kCrashed;
}

bool HasOpenVerdict(const state::Job& job) {
  return job.history != nullptr &&
         std::any_of(job.history->attempts.begin(), job.history->attempts.end(),
                     [](const Attempt& a) { return a.verdict_deadline_ms != 0; });
}

int32_t OpenVerdicts(const JobHistory& history) {
  int32_t open = 0;
  for (const Attempt& attempt : history.attempts) open += attempt.verdict_deadline_ms != 0;
  return open;
}

bool BlamesProgram(const Attempt& attempt) {
  if (!attempt.bad_checkpoint.empty()) return false;
  const std::vector<const Task*> members = MembersOf(attempt);
  return std::none_of(members.begin(), members.end(),
                      [](const Task* task) { return task->infrastructure; });
}

int32_t StartFailuresInARow(const JobHistory& history) {
  int32_t failures = 0;
  ForEachStartFailure(history, [&](const Attempt& a) { failures += a.bad_checkpoint.empty(); });
  return failures;
}

std::set<state::NodeId> NodesOfStartFailures(const JobHistory& history) {
  std::set<state::NodeId> nodes;
  ForEachStartFailure(history, [&](const Attempt& attempt) {
    for (const Task* task : MembersOf(attempt)) {
      // What a program lacks here it may find elsewhere.
      const bool lacks = task->phase == TaskPhase::kExited && task->exit_code == kExitUnknown &&
                         attempt.bad_checkpoint.empty();
      if (task->infrastructure || lacks) nodes.insert(task->node);
    }
  });
  return nodes;
}

absl::StatusOr<state::Checkpoint> FindCheckpoint(const std::vector<state::Checkpoint>& kept,
                                                 const std::string& what) {
  int64_t step = 0;
  const bool is_step = absl::SimpleAtoi(what, &step) && step > 0;
  std::vector<std::string> words;
  for (const state::Checkpoint& c : kept) {
    if (c.name == what || (is_step && c.step == step)) return c;
    words.push_back(c.step == 0 ? c.name : absl::StrCat(c.name, " (step ", c.step, ")"));
  }
  return absl::NotFoundError(absl::StrCat(
      "no checkpoint ", what, " is kept; there ",
      words.empty()
          ? "is none"
          : absl::StrCat(words.size() == 1 ? "is " : "are ", absl::StrJoin(words, ", "))));
}

int32_t RestoreFailures(const JobHistory& history, const std::string& name) {
  if (name.empty()) return 0;
  return static_cast<int32_t>(
      std::count_if(history.attempts.begin(), history.attempts.end(),
                    [&](const Attempt& a) { return a.bad_checkpoint == name; }));
}

}  // namespace baton::core
