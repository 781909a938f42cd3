// Running gangs that grow into room that nobody in the queue has use for.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "scheduler/core/exits.h"
#include "scheduler/core/machine.h"
#include "scheduler/policy/grow.h"
#include "scheduler/policy/rescale.h"

namespace baton::core {

using state::Attempt;
using state::Job;
using state::JobId;
using state::JobState;
using state::Task;

// Whether it runs below its largest useful size.
bool Machine::HasUseForMore(const Job& job) {
  if (job.state != JobState::kRunning || job.spec->shards == 0) return false;
  const policy::WorldRange range = policy::RangeOf(*job.spec);
  return policy::ChooseWorldSize(range, range.ranks_max) > job.LiveAttempt()->world_size;
}

void Machine::IndexGrowth(const Job& job) {
  const GrowthKey key = {-int64_t{job.spec->priority}, job.order, job.id};
  if (HasUseForMore(job)) {
    growable_.insert(key);
  } else {
    growable_.erase(key);
    growth_tried_.erase(job.id);
  }
}

// It has settled in its present size, and nothing else changes it.
bool Machine::MayGrow(const Job& job) const {
  const Attempt& attempt = *job.LiveAttempt();
  const state::Elastic& elastic = attempt.elastic;
  if (elastic.first_step_ms == 0 || !elastic.accusations.empty()) return false;
  if (now_ms_ < GrowsAfter(job) || attempt.tasks.size() >= kTasksMax) return false;
  return std::none_of(attempt.tasks.begin(), attempt.tasks.end(), [&](const Task& task) {
    return HasEnded(task) ? IsMember(attempt, task.rank) : IsJoiner(task);
  });
}

// Not before. Where peers missed each other and both nodes are there, growth could lead to the same
// nodes again before probes tell that they do not reach each other.
int64_t Machine::GrowsAfter(const Job& job) const {
  const Attempt& attempt = *job.LiveAttempt();
  int64_t after_ms = attempt.elastic.grow_after_ms;
  const std::vector<state::Loss>& losses = job.history->losses;
  for (auto loss = losses.rbegin(); loss != losses.rend(); ++loss) {
    if (loss->attempt != attempt.number || now_ms_ - loss->at_ms >= kGrowAgainMs) break;
    const state::Node& node = state_.nodes.at(loss->node);
    const bool unexplained = loss->detector == kByPeers && node.up && node.joined_ms <= loss->at_ms;
    if (unexplained) after_ms = std::max(after_ms, loss->at_ms + kGrowAgainMs);
  }
  return after_ms;
}

// When a job that could grow is to be looked at again; kNever: a change will come before.
int64_t Machine::GrowthAt(const Job& job) const {
  if (!HasUseForMore(job)) return Deadlines::kNever;
  const int64_t after_ms = GrowsAfter(job);
  return after_ms > now_ms_ ? after_ms : Deadlines::kNever;
}

void Machine::Grow(int starts) {
  if (fleet_.open().empty()) return;
  for (const GrowthKey& key : growable_) {
    if (starts == kStartsPerStep) {
      pass_cut_short_ = true;
      return;
    }
    starts += GrowOne(&state_.jobs.at(std::get<JobId>(key))) ? 1 : 0;
  }
}

bool Machine::GrowOne(Job* job) {
  if (!MayGrow(*job)) return false;
  const Attempt& attempt = *job->LiveAttempt();
  // Nothing that could make it fit has changed since it did not.
  const GrowthTry now = {fleet_.changes(), reach_told_, attempt.generation, attempt.tasks.size()};
  const auto tried = growth_tried_.find(job->id);
  if (tried != growth_tried_.end() && tried->second == now) return false;
  policy::Ask ask = AskOf(*job);
  ask.alternative = attempt.alternative;
  policy::RunningGang gang;
  gang.world_size = attempt.world_size;
  for (const Task& task : attempt.tasks) {
    if (IsMember(attempt, task.rank)) gang.nodes.insert(task.node);
    if (IsJoiner(task)) ask.avoid.insert(task.node);
  }
  std::vector<policy::RankPlace> places = policy::PlaceJoiners(fleet_, ask, gang);
  // Only what has made no promises on its way may be skipped: another head may wait by now.
  if (places.empty()) growth_tried_[job->id] = now;
  if (places.empty()) return false;
  ask.honoured = HonouredByGrowth();
  if (!ask.honoured.empty()) places = policy::PlaceJoiners(fleet_, ask, gang);
  if (places.empty() || attempt.tasks.size() + places.size() > kTasksMax) return false;
  AddJoiners(job, places);
  return true;
}

// Whoever waits comes first: earlier and later, whatever their priority.
std::set<JobId> Machine::HonouredByGrowth() {
  HeadsWalk heads{Queue::Walk(queue_, state_.counters, now_ms_, Queue::Walk::Over::kAll)};
  PromiseHeads(nullptr, &heads);
  std::set<JobId> honoured;
  for (const auto& [id, nodes] : promises_) honoured.insert(id);
  return honoured;
}

void Machine::AddJoiners(Job* job, const std::vector<policy::RankPlace>& places) {
  Attempt& attempt = *job->LiveAttempt();
  const state::Resources& need = state::NeedOf(*job->spec, attempt);
  for (const policy::RankPlace& place : places) {
    Task task;
    task.rank = static_cast<int32_t>(attempt.tasks.size());
    task.node = place.node;
    task.gpus = place.gpus;
    task.start_ms = now_ms_;
    task.joined = 0;
    task.deadline_ms = now_ms_ + PrepareLimitMs(*job->spec);
    fleet_.Take(place.node, need, place.gpus);
    tasks_on_[place.node].insert({job->id, task.rank});
    Touch(place.node);
    Say(*job, "joins",
        absl::StrCat("task ", task.rank, " is prepared on ", NodeName(place.node), ": with ",
                     attempt.world_size + static_cast<int32_t>(places.size()), " ranks instead of ",
                     attempt.world_size, " it trains faster, and nobody waits for the room"));
    attempt.tasks.push_back(std::move(task));
  }
  ChargeUsage(*job->spec, attempt, static_cast<int32_t>(places.size()));
  MarkJob(*job);
}

}  // namespace baton::core
