// How the tasks of native gangs change their membership: by the contract of elastic gangs.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "scheduler/sim/worker.h"

namespace baton::sim {

using state::TaskKey;
using state::TaskStage;

// It trains no further, and keeps the state that it has.
void Worker::Hold(Task* task) {
  if (task->held) return;
  task->held_step = StepOf(*task);
  task->held = true;
  ++task->epoch;
}

bool Worker::IsInGang(const Task& task) const {
  return task.wanted.spec->shards > 0 && task.stage == Stage::kRunning && !task.stopping &&
         !task.frozen;
}

int32_t Worker::RankOf(const Task& task, int32_t number) {
  const auto at = std::find(task.members.begin(), task.members.end(), number);
  return at == task.members.end() ? -1 : static_cast<int32_t>(at - task.members.begin());
}

// A wanted set tells of a newer generation: it leaves what it does and goes where that one meets.
void Worker::Regroup(Task* task) {
  if (!IsInGang(*task) || task->wanted.generation <= task->generation) return;
  std::vector<int32_t> members;
  for (const state::Peer& peer : task->wanted.peers) members.push_back(peer.task);
  const int32_t own = task->wanted.task.rank;
  if (std::find(members.begin(), members.end(), own) == members.end()) return;
  Hold(task);
  task->generation = task->wanted.generation;
  task->members = members;
  task->missed.clear();
  context_.probes.Hit("generation told");
  In(context_.random.Between(5, 500), *task, [this, generation = task->generation](Task* then) {
    if (!IsInGang(*then) || then->generation != generation) return;
    const bool has_state = then->formed > 0;
    fabric_.Arrive(then->wanted.task, generation, then->members, has_state ? then->held_step : -1);
    AwaitOthers(then);
  });
}

// Those that do not come in time are missed.
void Worker::AwaitOthers(Task* task) {
  In(context_.random.Between(5'000, 8'000), *task,
     [this, generation = task->generation](Task* then) {
       if (!IsInGang(*then) || then->generation != generation || then->formed == generation) return;
       for (const int32_t member : fabric_.Missing(then->wanted.task.token, generation)) {
         context_.probes.Hit("member late to form");
         Accuse(then, member);
       }
       AwaitOthers(then);
     });
}

void Worker::Form(const TaskKey& key, uint64_t generation, int64_t step) {
  Task* task = Find(key);
  if (task == nullptr || !IsInGang(*task) || task->generation != generation) return;
  if (step < 0) {
    context_.probes.Hit("nobody with state is left");
    return End(task, 76);
  }
  context_.probes.Hit("generation formed");
  task->formed = generation;
  task->base_step = step;
  task->started_ms = context_.now_ms();
  task->held = false;
  Train(task);
}

// A peer fails it: it stands still, and says so after a while.
void Worker::Misses(const TaskKey& key, int32_t number) {
  Task* task = Find(key);
  if (task == nullptr || !IsInGang(*task) || RankOf(*task, number) < 0) return;
  Hold(task);
  In(context_.random.Between(5, 2500), *task,
     [this, number, generation = task->generation](Task* then) {
       if (!IsInGang(*then) || then->generation != generation) return;
       Accuse(then, number);
       if (!context_.random.Chance(1, 25)) return;
       context_.probes.Hit("wrong accusation");
       const int32_t other = then->members[context_.random.Below(then->members.size())];
       if (other != then->wanted.task.rank) Accuse(then, other);
     });
}

void Worker::Accuse(Task* task, int32_t number) {
  if (!task->missed.insert(number).second) return;
  SayLost(task->wanted.task, task->serial, task->generation, number);
}

// Until there is a newer generation.
void Worker::SayLost(const TaskKey& key, uint64_t serial, uint64_t generation, int32_t number) {
  Task* task = Find(key, serial);
  if (task == nullptr || !IsInGang(*task) || task->generation != generation) return;
  Say(state::LossReported{.task = key,
                          .node = offer_.id,
                          .incarnation = offer_.incarnation,
                          .generation = generation,
                          .lost_rank = RankOf(*task, number)});
  context_.agenda.In(3000, [=, this] { SayLost(key, serial, generation, number); });
}

// It loads its data and warms up; then it can be a member.
void Worker::RunJoiner(Task* task) {
  context_.probes.Hit("joiner started");
  In(context_.random.Between(100, 4'000), *task, [this](Task* then) {
    if (!IsInGang(*then) || then->generation != 0) return;
    if (context_.Chance(context_.chaos.sick_start)) return End(then, 1);
    SayReady(then->wanted.task, then->serial);
  });
}

void Worker::SayReady(const TaskKey& key, uint64_t serial) {
  Task* task = Find(key, serial);
  if (task == nullptr || !IsInGang(*task) || task->generation != 0) return;
  Say(state::MemberReady{key, offer_.id, offer_.incarnation});
  context_.agenda.In(3000, [this, key, serial] { SayReady(key, serial); });
}

// It leaves with the step in which the others change, and saves nothing.
void Worker::LeaveGang(Task* task) {
  if (task->leaving) return;
  task->leaving = true;
  context_.probes.Hit("member let go");
  const int64_t left_ms = std::max<int64_t>(task->wanted.stop_deadline_ms - context_.now_ms(), 0);
  In(left_ms, *task, [this](Task* then) { End(then, -9); });
  In(context_.random.Between(10, 3000), *task, [this](Task* then) {
    if (then->stage == Stage::kRunning && !then->frozen && !then->stopping) End(then, 75);
  });
}

// It stops in its tracks, and goes on after a while if it is still there.
void Worker::Freeze(const TaskKey& key, int64_t duration_ms) {
  Task* task = Find(key);
  if (task == nullptr || !IsInGang(*task) || task->held) return;
  context_.probes.Hit("member frozen");
  Hold(task);
  task->frozen = true;
  In(duration_ms, *task, [this](Task* then) {
    if (then->stage != Stage::kRunning || then->stopping) return;
    then->frozen = false;
    then->base_step = then->held_step;
    then->started_ms = context_.now_ms();
    then->held = false;
    Train(then);
    Regroup(then);
  });
}

}  // namespace baton::sim
