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

// A gang runs once all its ranks have prepared; a single rank has nobody to wait for, nor has one
// that is to join.
Goal GoalOf(const Attempt& attempt, const Task& task) {
  if (attempt.stop_deadline_ms != 0 || !task.let_go.empty()) return Goal::kStop;
  if (IsJoiner(task)) return task.phase == TaskPhase::kPreparing ? Goal::kPrepare : Goal::kRun;
  const bool go =
      attempt.world_size == 1 ||
      std::all_of(attempt.members.begin(), attempt.members.end(), [&](int32_t member) {
        return attempt.tasks[static_cast<size_t>(member)].phase != TaskPhase::kPreparing;
      });
  return go ? Goal::kRun : Goal::kPrepare;
}

bool IsForGood(state::Intent intent) {
  return intent == state::Intent::kCancel || intent == state::Intent::kFail ||
         intent == state::Intent::kBudget;
}

// Places of the task among those of its node, and of its node among the gang's. A task that is no
// member is counted with those that are.
void SetPlaces(const Attempt& attempt, const Task& task, state::WantedTask* wanted) {
  std::vector<const state::NodeId*> nodes;  // by the lowest task on each
  for (const Task& other : attempt.tasks) {
    if (other.rank != task.rank && !IsMember(attempt, other.rank)) continue;
    const bool known = std::any_of(nodes.begin(), nodes.end(),
                                   [&](const state::NodeId* node) { return *node == other.node; });
    if (!known) nodes.push_back(&other.node);
    if (other.node != task.node) continue;
    if (!known) wanted->node_rank = static_cast<int32_t>(nodes.size()) - 1;
    ++wanted->local_world_size;
    wanted->local_rank += other.rank < task.rank;
  }
  wanted->nodes = static_cast<int32_t>(nodes.size());
}

std::vector<state::Peer> PeersOf(const Attempt& attempt) {
  std::vector<state::Peer> peers;
  for (size_t rank = 0; rank < attempt.members.size(); ++rank) {
    const Task& peer = MemberOf(attempt, rank);
    peers.push_back({.rank = static_cast<int32_t>(rank),
                     .task = peer.rank,
                     .node = peer.node,
                     .address = peer.address,
                     .port = peer.port});
  }
  return peers;
}

// A gang that lost a rank has nothing to wait for: ranks that catch no signal save nothing. One
// that ended to be resumed has lost nothing: its peers save, too.
bool HasLostOne(const Attempt& attempt) {
  return attempt.failed_ms != 0 &&
         std::any_of(attempt.members.begin(), attempt.members.end(), [&](int32_t member) {
           const Task& peer = attempt.tasks[static_cast<size_t>(member)];
           return peer.phase == TaskPhase::kLost ||
                  (peer.phase == TaskPhase::kExited && peer.exit_code != 0 &&
                   peer.exit_code != kExitResumeMe);
         });
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
  wanted.goal = GoalOf(attempt, task);
  wanted.spec = job.spec;
  wanted.world_size = attempt.world_size;
  SetPlaces(attempt, task, &wanted);
  wanted.gpus = task.gpus;
  wanted.alternative = attempt.alternative;
  wanted.generation = attempt.generation;
  // One that is let go leaves with the step in which the others change to their next generation.
  if (wanted.goal == Goal::kRun || !task.let_go.empty() || IsJoiner(task)) {
    wanted.peers = PeersOf(attempt);
    for (state::Peer& peer : wanted.peers) peer.node = NodeName(peer.node);
  }
  // Told to the program when it starts, once.
  if (wanted.goal == Goal::kRun && task.phase < TaskPhase::kRunning) {
    wanted.mtbf_ms = MtbfOf(attempt);
  }
  // One that joins a gang gets its state from there.
  if (task.start_ms == 0) {
    wanted.resume_name = attempt.resume_name;
    wanted.resume_step = attempt.resume_step;
    wanted.resume_digest = attempt.resume_digest;
  }
  wanted.stop_deadline_ms = attempt.stop_deadline_ms;
  wanted.stop_reason = attempt.stop_reason;
  if (!task.let_go.empty()) {
    const bool sooner = wanted.stop_deadline_ms == 0 || task.deadline_ms < wanted.stop_deadline_ms;
    if (sooner) wanted.stop_deadline_ms = task.deadline_ms;
    if (wanted.stop_reason.empty()) wanted.stop_reason = task.let_go;
  }
  wanted.stop_for_good =
      attempt.stop_deadline_ms != 0 && (IsForGood(job.intent) || HasLostOne(attempt));
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
