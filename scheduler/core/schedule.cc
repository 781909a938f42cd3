// The pass: starts what can start, in queue order. A job whose gang does not fit keeps its place
// and is promised rooms; a later one may run in front of it only beside these promises.
#include <algorithm>

#include "scheduler/core/exits.h"
#include "scheduler/core/machine.h"
#include "scheduler/policy/backfill.h"

namespace baton::core {
namespace {

using state::Job;
using state::JobId;
using state::NodeId;

// How many waiting heads are looked at for the one of each device class that holds promises.
constexpr int kHeadsLookedAt = 64;

std::string DeviceClass(const state::JobSpec& spec) {
  const state::Resources& best = state::NeedOf(spec, 0);
  return best.gpus > 0 ? "gpu:" + best.gpu_type : "cpu";
}

}  // namespace

void Machine::Pass() {
  pass_cut_short_ = false;
  ++passes_;
  for (const JobId& id : deadlines_.Due(now_ms_)) ReleaseIfReady(&state_.jobs.at(id));
  int starts = 0;
  for (; queue_.AnyRunnable() && !fleet_.open().empty(); ++starts) {
    if (starts == kStartsPerStep) {
      pass_cut_short_ = true;
      return;
    }
    if (!StartFirst()) break;
  }
  Grow(starts);
}

// Starts the first job in queue order that can be placed; false: there is none.
bool Machine::StartFirst() {
  Queue::Walk walk(queue_, state_.counters, now_ms_, Queue::Walk::Over::kRunnable);
  HeadsWalk heads{Queue::Walk(queue_, state_.counters, now_ms_, Queue::Walk::Over::kAll)};
  while (JobClass* job_class = walk.Next()) {
    if (job_class->passed_over == passes_) continue;
    policy::Ask ask = AskOf(*job_class->Head());
    bool reach_matters = false;
    std::optional<policy::Placement> placement = policy::Place(fleet_, ask, &reach_matters);
    if (!placement.has_value()) {
      // What makes no room may help it as well.
      if (reach_matters) {
        job_class->passed_over = passes_;
      } else {
        queue_.Block(job_class);
      }
      continue;
    }
    ask.honoured = HonouredBefore(walk.rank(), *job_class, &heads);
    if (!ask.honoured.empty()) placement = policy::Place(fleet_, ask);
    if (!placement.has_value()) {
      job_class->passed_over = passes_;
      continue;
    }
    Begin(&state_.jobs.at(ask.job), *placement);
    return true;
  }
  return false;
}

policy::Ask Machine::AskOf(const Job& job) const {
  policy::Ask ask;
  ask.job = job.id;
  ask.spec = job.spec;
  if (job.history == nullptr) return ask;
  ask.device_kind = job.history->device_kind;
  ask.avoid = NodesOfStartFailures(*job.history);
  ask.on_demand_only = job.history->on_demand_only;
  return ask;
}

// Makes sure that in each device class one job holds promises, if one that is earlier in the queue
// than `before` (null: one at all) waits there: it keeps them until it starts, unless a waiting job
// of a higher priority takes its place. Returns the holders by device class.
std::map<std::string, JobId> Machine::PromiseHeads(const policy::QueueRank* before,
                                                   HeadsWalk* heads) {
  std::map<std::string, JobId> holders = Holders();
  for (; heads->looked_at < kHeadsLookedAt; ++heads->looked_at) {
    if (before != nullptr && !heads->walk.HasBefore(*before)) break;
    const JobClass* job_class = heads->walk.Next();
    if (job_class == nullptr) break;
    const std::string device_class = DeviceClass(*job_class->spec);
    const auto holder = holders.find(device_class);
    const bool stays = holder != holders.end() &&
                       state_.jobs.at(holder->second).spec->priority >= job_class->spec->priority;
    if (stays) continue;
    std::set<JobId> others;
    for (const auto& [other_class, id] : holders) {
      if (other_class != device_class) others.insert(id);
    }
    const Job& head = *job_class->Head();
    if (!MakePromises(head, others)) continue;
    if (holder != holders.end()) ReleasePromises(holder->second);
    holders[device_class] = head.id;
  }
  return holders;
}

// The holders of promises that the asking class must leave alone: those of its priority or more,
// but for one that its head is sure to end before.
std::set<JobId> Machine::HonouredBefore(const policy::QueueRank& rank, const JobClass& asking,
                                        HeadsWalk* heads) {
  const Job& job = *asking.Head();
  const std::map<std::string, JobId> holders = PromiseHeads(&rank, heads);
  std::set<JobId> honoured;
  for (const auto& [device_class, id] : holders) {
    const bool outranked = state_.jobs.at(id).spec->priority < job.spec->priority;
    // A job of the asking class is behind its head: what it was promised is the head's as well.
    const bool own_class = asking.waiting.count(state_.jobs.at(id).order) != 0;
    if (!own_class && !outranked && !EndsBefore(job, ReservedStart(id))) honoured.insert(id);
  }
  return honoured;
}

// Who holds promises, by device class; promises that can't be kept any more are given back.
std::map<std::string, JobId> Machine::Holders() {
  std::map<std::string, JobId> holders;
  std::vector<JobId> broken;
  for (const auto& [id, nodes] : promises_) {
    const bool good = std::all_of(nodes.begin(), nodes.end(), [&](const NodeId& node) {
      return state_.nodes.at(node).TakesWork();
    });
    if (good && MayReachEachOther(nodes)) {
      holders[DeviceClass(*state_.jobs.at(id).spec)] = id;
    } else {
      broken.push_back(id);
    }
  }
  for (const JobId& id : broken) ReleasePromises(id);
  return holders;
}

bool Machine::EndsBefore(const Job& job, int64_t start_ms) const {
  const int64_t limit_ms = job.spec->time_limit_ms;
  if (limit_ms == 0 || start_ms == Deadlines::kNever) return false;
  // It may take its deadlines, to prepare and to start, and its grace to stop.
  const int64_t longest_ms = limit_ms + PrepareLimitMs(*job.spec) +
                             state_.config.start_deadline_ms + state_.config.cancel_grace_ms;
  return now_ms_ + longest_ms <= start_ms;
}

// False: the fleet could not hold the job even if nothing else ran.
bool Machine::MakePromises(const Job& head, const std::set<JobId>& others) {
  policy::Ask ask = AskOf(head);
  ask.honoured = others;
  const std::vector<policy::Promise> promises = policy::ChoosePromises(fleet_, ask);
  if (promises.empty()) return false;
  for (const policy::Promise& promise : promises) {
    state::Node& node = state_.nodes.at(promise.node);
    if (!node.promised_to.empty()) ReleasePromises(JobId(node.promised_to));
    node.promised_to = head.id;
    node.promised_ranks = promise.ranks;
    node.promised_alternative = promise.alternative;
    promises_[head.id].insert(promise.node);
    fleet_.SetPromise(promise.node, head.spec);
    MarkNode(node);
  }
  Say(head, "promised", PromiseWords(head.id));
  return true;
}

void Machine::ReleasePromises(const JobId& job) {
  const auto held = promises_.find(job);
  if (held == promises_.end()) return;
  for (const NodeId& id : held->second) {
    state::Node& node = state_.nodes.at(id);
    node.promised_to.clear();
    node.promised_ranks = 0;
    node.promised_alternative = 0;
    fleet_.SetPromise(id, nullptr);
    MarkNode(node);
  }
  promises_.erase(held);
}

// When all that runs on the promised nodes has ended by its time limit; kNever: not known.
int64_t Machine::ReservedStart(const JobId& head) const {
  int64_t start_ms = now_ms_;
  const auto held = promises_.find(head);
  if (held == promises_.end()) return Deadlines::kNever;
  for (const NodeId& id : held->second) {
    const auto tasks = tasks_on_.find(id);
    if (tasks == tasks_on_.end()) continue;
    for (const auto& [job_id, rank] : tasks->second) {
      const int64_t at_ms = TimeLimitAt(state_.jobs.at(job_id));
      if (at_ms == Deadlines::kNever) return Deadlines::kNever;
      start_ms = std::max(start_ms, at_ms);
    }
  }
  return start_ms;
}

}  // namespace baton::core
