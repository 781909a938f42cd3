#include <algorithm>

#include "scheduler/core/exits.h"
#include "scheduler/core/machine.h"
#include "scheduler/policy/hazard.h"

namespace baton::core {
namespace {

using state::Attempt;
using state::Goal;
using state::Task;
using state::TaskPhase;

// A gang runs once all its ranks have prepared; a single rank has nobody to wait for.
Goal GoalOf(const Attempt& attempt) {
  if (attempt.stop_deadline_ms != 0) return Goal::kStop;
  const bool go = attempt.world_size == 1 ||
                  std::all_of(attempt.tasks.begin(), attempt.tasks.end(),
                              [](const Task& task) { return task.phase != TaskPhase::kPreparing; });
  return go ? Goal::kRun : Goal::kPrepare;
}

bool IsForGood(state::Intent intent) {
  return intent == state::Intent::kCancel || intent == state::Intent::kFail ||
         intent == state::Intent::kBudget;
}

// Places of the task among those of its node, and of its node among the gang's.
void SetPlaces(const Attempt& attempt, const Task& task, state::WantedTask* wanted) {
  const state::NodeId* previous = nullptr;
  for (const Task& other : attempt.tasks) {
    if (previous == nullptr || other.node != *previous) ++wanted->nodes;
    previous = &other.node;
    if (other.node == task.node) {
      ++wanted->local_world_size;
      wanted->local_rank += other.rank < task.rank;
    }
    if (other.rank == task.rank) wanted->node_rank = wanted->nodes - 1;
  }
}

}  // namespace

// As of its start, so that the answer is the same whenever it is asked for.
int64_t Machine::MtbfOf(const Attempt& attempt) const {
  std::vector<state::Losses> seen = state_.counters.losses;
  for (const auto& [id, node] : state_.nodes) {
    if (!node.up) continue;
    policy::CountLife(node.offer.spot, attempt.start_ms - node.joined_ms, false, &seen);
  }
  std::vector<int64_t> lives_ms;
  const state::NodeId* previous = nullptr;
  for (const Task& task : attempt.tasks) {
    if (previous != nullptr && task.node == *previous) continue;
    previous = &task.node;
    const state::Node& node = state_.nodes.at(task.node);
    const int64_t age_ms = std::max<int64_t>(0, attempt.start_ms - node.joined_ms);
    lives_ms.push_back(policy::MeanLifeMs(seen, node.offer.spot, age_ms));
  }
  return policy::MtbfMs(lives_ms);
}

state::WantedTask Machine::WantedOf(const state::Job& job, const Attempt& attempt,
                                    const Task& task) const {
  state::WantedTask wanted;
  wanted.task = {
      .job = job.id, .attempt = attempt.number, .rank = task.rank, .token = attempt.token};
  wanted.goal = GoalOf(attempt);
  wanted.spec = job.spec;
  wanted.world_size = attempt.world_size;
  SetPlaces(attempt, task, &wanted);
  wanted.gpus = task.gpus;
  wanted.alternative = attempt.alternative;
  wanted.generation = attempt.generation;
  if (wanted.goal == Goal::kRun) {
    for (const Task& peer : attempt.tasks) {
      wanted.peers.push_back({.rank = peer.rank,
                              .node = NodeName(peer.node),
                              .address = peer.address,
                              .port = peer.port});
    }
    // Told to the program when it starts, once.
    if (task.phase < TaskPhase::kRunning) wanted.mtbf_ms = MtbfOf(attempt);
  }
  wanted.resume_name = attempt.resume_name;
  wanted.resume_step = attempt.resume_step;
  wanted.resume_digest = attempt.resume_digest;
  wanted.stop_deadline_ms = attempt.stop_deadline_ms;
  wanted.stop_reason = attempt.stop_reason;
  // Nor has a gang that lost a rank anything to wait for: ranks that catch no signal save nothing.
  // One that ended to be resumed has lost nothing: its peers save, too.
  const bool lost_one =
      attempt.failed_ms != 0 &&
      std::any_of(attempt.tasks.begin(), attempt.tasks.end(), [](const Task& peer) {
        return peer.phase == TaskPhase::kLost ||
               (peer.phase == TaskPhase::kExited && peer.exit_code != 0 &&
                peer.exit_code != kExitResumeMe);
      });
  wanted.stop_for_good = wanted.goal == Goal::kStop && (IsForGood(job.intent) || lost_one);
  return wanted;
}

std::vector<state::WantedTask> Machine::Wanted(const state::NodeId& node) const {
  std::vector<state::WantedTask> tasks;
  const auto on = tasks_on_.find(node);
  if (on == tasks_on_.end()) return tasks;
  for (const auto& [job_id, rank] : on->second) {
    const state::Job& job = state_.jobs.at(job_id);
    const Attempt& attempt = *job.LiveAttempt();
    tasks.push_back(WantedOf(job, attempt, attempt.tasks[static_cast<size_t>(rank)]));
  }
  return tasks;
}

}  // namespace baton::core
