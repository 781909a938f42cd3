// Invariants of gangs that change while they train.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "scheduler/core/invariants.h"
#include "scheduler/state/job_state.h"

namespace baton::core {
namespace {

using state::Attempt;
using state::Job;
using state::JobState;
using state::Task;

std::string About(const Job& job, absl::string_view what) {
  return absl::StrCat("job ", job.id, " (", state::Name(job.state), "): ", what);
}

// Of one that is no member.
std::string OtherIsTold(const Job& job, const Attempt& attempt, const Task& task) {
  const bool former = task.joined != 0 && task.joined <= attempt.generation;
  if (!former && !IsJoiner(task)) return About(job, "a task is of no generation");
  if (HasEnded(task)) return "";
  if (former && (task.let_go.empty() || task.deadline_ms == 0)) {
    return About(job, "a former member lives and was not let go");
  }
  if (!IsJoiner(task)) return "";
  if (task.deadline_ms == 0 && !task.ready) return About(job, "a joiner has no deadline");
  const bool runs = job.state == JobState::kRunning || job.state == JobState::kRescaling;
  return runs ? "" : About(job, "a joiner lives, and its gang does not run");
}

}  // namespace

std::string MembersInOrder(const Job& job, const Attempt& attempt) {
  if (attempt.members.size() != static_cast<size_t>(attempt.world_size)) {
    return About(job, "not one member per rank");
  }
  if (attempt.generation == 0) return About(job, "a generation without a number");
  const bool rising =
      std::adjacent_find(attempt.members.begin(), attempt.members.end(),
                         [](int32_t a, int32_t b) { return a >= b; }) == attempt.members.end();
  const auto tasks = static_cast<int32_t>(attempt.tasks.size());
  if (!rising || attempt.members.front() < 0 || attempt.members.back() >= tasks) {
    return About(job, "its members are not tasks in rising order");
  }
  for (const Task& task : attempt.tasks) {
    if (!IsMember(attempt, task.rank)) {
      if (std::string wrong = OtherIsTold(job, attempt, task); !wrong.empty()) return wrong;
    } else if (task.joined == 0 || task.joined > attempt.generation || !task.let_go.empty()) {
      return About(job, "a member that has not joined, or was let go");
    }
  }
  return "";
}

std::string GenerationsSettle(const Job& job) {
  const Attempt* attempt = job.LiveAttempt();
  if (attempt == nullptr) return "";
  const state::Elastic& elastic = attempt->elastic;
  const bool forms = attempt->generation > 1 && elastic.first_step_ms == 0;
  if (job.state == JobState::kRescaling && !forms) return About(job, "no generation forms");
  if (job.state == JobState::kRunning && forms) return About(job, "it forms and is not RESCALING");
  if (job.state == JobState::kStarting && attempt->generation != 1) {
    return About(job, "it starts in a later generation");
  }
  if (elastic.accusations.empty() != (elastic.accused_ms == 0)) {
    return About(job, "accusations without their time, or the reverse");
  }
  for (const state::Accusation& a : elastic.accusations) {
    if (!IsMember(*attempt, a.by) || !IsMember(*attempt, a.of) || a.by == a.of) {
      return About(job, "an accusation between others than two members");
    }
  }
  const bool running = job.state == JobState::kRunning || job.state == JobState::kRescaling;
  if (running && !elastic.losses.empty() && elastic.accused_ms == 0) {
    return About(job, "a member is lost, and nothing was decided");
  }
  return "";
}

std::string GenerationsRise(const JobMemory& before, const Job& after) {
  const Attempt* attempt = after.LiveAttempt();
  if (attempt == nullptr || before.token != attempt->token) return "";
  if (attempt->generation < before.generation) return About(after, "its generation fell");
  if (attempt->tasks.size() < before.tasks) return About(after, "it has lost the record of a task");
  if (attempt->generation == before.generation && attempt->members != before.members) {
    return About(after, "its members changed, and its generation did not");
  }
  return "";
}

std::string JoinersReachAll(const state::State& state, const JobMemory& before, const Job& after) {
  const Attempt* attempt = after.LiveAttempt();
  if (attempt == nullptr || before.token != attempt->token) return "";
  for (size_t i = before.tasks; i < attempt->tasks.size(); ++i) {
    const state::NodeId& a = attempt->tasks[i].node;
    for (const Task& task : attempt->tasks) {
      const bool matters =
          IsMember(*attempt, task.rank) || static_cast<size_t>(task.rank) >= before.tasks;
      if (!matters || task.node == a) continue;
      const std::string& host = state.nodes.at(a).offer.host_id;
      const state::NodeId& b = task.node;
      if (!host.empty() && host == state.nodes.at(b).offer.host_id) continue;
      if (state.reach.Ask(a, b) == state::Reach::Seen::kReached &&
          state.reach.Ask(b, a) == state::Reach::Seen::kReached) {
        continue;
      }
      return About(after, absl::StrCat("a joiner on ", a, ", which is not shown to reach ", b));
    }
  }
  return "";
}

}  // namespace baton::core
