#include "scheduler/sim/gangs.h"

#include <algorithm>

#include "scheduler/sim/worker.h"

namespace baton::sim {

void Gangs::Arrive(const state::TaskKey& key, uint64_t generation,
                   const std::vector<int32_t>& members, int64_t step) {
  Leave(key);
  Place& place = places_[key.token][generation];
  place.members = members;
  place.there[key.rank] = key;
  place.steps[key.rank] = step;
  if (!healed_ && context_.random.Chance(1, 60)) KillSoon(key);
  if (place.there.size() < members.size()) return;
  std::vector<state::TaskKey> all;
  int64_t has = -1;
  for (const auto& [task, member] : place.there) {
    all.push_back(member);
    has = std::max(has, place.steps.at(task));
  }
  if (CutApart(all)) return;
  for (const state::TaskKey& member : all) {
    Leave(member);
    context_.agenda.In(context_.random.Between(0, 50), [this, member, generation, has] {
      Worker* worker = WorkerOf(member);
      if (worker != nullptr) worker->Form(member, generation, has);
    });
  }
}

// Its node dies, before or after the generation has formed, and comes back.
void Gangs::KillSoon(const state::TaskKey& key) {
  context_.agenda.In(context_.random.Between(0, 400), [this, key] {
    Worker* worker = WorkerOf(key);
    if (worker == nullptr || healed_) return;
    context_.probes.Hit("node killed while a generation forms");
    worker->Die(context_.random.Chance(1, 2));
    context_.agenda.In(context_.random.Between(100, 60'000), [worker] {
      if (!worker->alive()) worker->Start();
    });
  });
}

std::vector<int32_t> Gangs::Missing(state::Token token, uint64_t generation) const {
  const auto gang = places_.find(token);
  if (gang == places_.end() || gang->second.count(generation) == 0) return {};
  const Place& place = gang->second.at(generation);
  std::vector<int32_t> missing;
  for (const int32_t member : place.members) {
    if (place.there.count(member) == 0) missing.push_back(member);
  }
  return missing;
}

void Gangs::Leave(const state::TaskKey& key) {
  const auto gang = places_.find(key.token);
  if (gang == places_.end()) return;
  for (auto it = gang->second.begin(); it != gang->second.end();) {
    it->second.there.erase(key.rank);
    it->second.steps.erase(key.rank);
    it = it->second.there.empty() ? gang->second.erase(it) : std::next(it);
  }
  if (gang->second.empty()) places_.erase(gang);
}

Worker* Gangs::WorkerOf(const state::TaskKey& task) const {
  for (const auto& worker : workers_) {
    const auto job = worker->tasks().find(task.job);
    if (job == worker->tasks().end()) continue;
    const auto there = job->second.find(task.rank);
    if (there != job->second.end() && there->second.wanted.task == task) return worker.get();
  }
  return nullptr;
}

// Two of them do not reach each other: they miss each other.
bool Gangs::CutApart(const std::vector<state::TaskKey>& members) {
  for (const state::TaskKey& a : members) {
    for (const state::TaskKey& b : members) {
      Worker* at_a = WorkerOf(a);
      Worker* at_b = WorkerOf(b);
      if (at_a == nullptr || at_b == nullptr) return true;
      if (at_a == at_b || !cuts_.Cut(at_a->offer().id, at_b->offer().id)) continue;
      context_.probes.Hit("generation parted while it forms");
      at_a->Misses(a, b.rank);
      at_b->Misses(b, a.rank);
      return true;
    }
  }
  return false;
}

// Members on two nodes that can't reach each other any more: one of them tells so, or both.
void Gangs::Cut(const state::NodeId& from, const state::NodeId& to) {
  const auto running = [this](const state::NodeId& node) {
    std::map<state::Token, std::vector<state::TaskKey>> tasks;
    for (const auto& worker : workers_) {
      if (worker->offer().id != node) continue;
      for (const auto& [job, ranks] : worker->tasks()) {
        for (const auto& [rank, task] : ranks) {
          const bool in = task.stage == Worker::Stage::kRunning && task.wanted.spec->shards > 0;
          if (in) tasks[task.wanted.task.token].push_back(task.wanted.task);
        }
      }
    }
    return tasks;
  };
  const auto there = running(to);
  for (const auto& [token, tasks] : running(from)) {
    const auto others = there.find(token);
    if (from == to || others == there.end()) continue;
    context_.probes.Hit("gang parted");
    const uint64_t who = context_.random.Below(3);
    if (who != 0) WorkerOf(tasks.front())->Misses(tasks.front(), others->second.front().rank);
    if (who != 1) {
      WorkerOf(others->second.front())->Misses(others->second.front(), tasks.front().rank);
    }
  }
}

// A member of a gang stops in its tracks; its peers stand still, too, and miss it.
void Gangs::BookFreezes() {
  context_.agenda.In(context_.random.Between(0, 60'000), [this] {
    if (healed_) return;
    std::vector<state::TaskKey> gangs;
    for (const auto& worker : workers_) {
      for (const auto& [job, ranks] : worker->tasks()) {
        for (const auto& [rank, task] : ranks) {
          const bool in = task.stage == Worker::Stage::kRunning && task.members.size() > 1 &&
                          task.wanted.spec->shards > 0;
          if (in) gangs.push_back(task.wanted.task);
        }
      }
    }
    if (!gangs.empty()) {
      const state::TaskKey frozen = gangs[context_.random.Below(gangs.size())];
      WorkerOf(frozen)->Freeze(frozen, context_.random.Between(1'000, 90'000));
      for (const auto& worker : workers_) worker->PeerLost(frozen);
    }
    BookFreezes();
  });
}

}  // namespace baton::sim
