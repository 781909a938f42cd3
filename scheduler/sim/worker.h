// A model of a node's worker: follows the wanted set, reports stages until they are acknowledged,
// uploads checkpoints, and dies now and then. Written from the contract, not from worker/core.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "scheduler/sim/context.h"
#include "scheduler/sim/messages.h"
#include "scheduler/sim/program.h"

namespace baton::sim {

class Worker {
 public:
  enum class Stage { kPreparing, kPrepared, kRunning, kEnded };

  struct Task {
    state::WantedTask wanted;
    Program program;
    Stage stage = Stage::kPreparing;
    uint64_t serial = 0;
    int64_t started_ms = 0;        // of the program
    int64_t setup_ms = 0;          // until it was prepared
    bool stopping = false;         // it was told to, and is saving
    uint64_t generation = 0;       // of a native one: newest that it was told of; 0: it is to join
    uint64_t formed = 0;           // newest that it has formed
    std::vector<int32_t> members;  // of the former
    std::set<int32_t> missed;      // of them: those that it has accused
    int64_t base_step = 0;         // finished when it began to train, at started_ms
    int64_t first_step = 0;        // that it has finished; 0: none
    int64_t first_step_ms = 0;
    bool held = false;  // it does not train: a peer is missing, or a newer generation forms
    int64_t held_step = 0;
    uint64_t epoch = 0;          // what it had planned before is void
    bool frozen = false;         // it says and does nothing
    bool leaving = false;        // it was let go
    bool reported = false;       // `report` is waiting for its acknowledgement
    state::TaskReported report;  // of the newest stage
    std::map<std::string, state::CheckpointUploaded> uploads;  // not acknowledged
  };

  // `offer` lacks an incarnation.
  Worker(Context& context, Fabric& fabric, state::NodeOffer offer);

  bool alive() const { return alive_; }
  const state::NodeOffer& offer() const { return offer_; }
  const std::map<state::JobId, std::map<int32_t, Task>>& tasks() const { return tasks_; }
  std::vector<state::LastHeard> Progress() const;

  // A new process, under a new incarnation.
  void Start();
  // kill -9 of the process or of the host; its tasks end with it.
  void Die(bool told);
  // Ends its tasks and says so first.
  void Leave();
  // Nothing is heard of it for a while, though it runs on.
  void Vanish(int64_t duration_ms);

  void Notice(const state::Notice& notice);
  void Withdraw();

  void Hear(uint64_t connection, const ToWorker& message);
  // The connection is gone, for whatever reason.
  void Disconnected(uint64_t connection);
  // A peer of this task ended badly somewhere.
  void PeerLost(const state::TaskKey& task);

  // Of the gangs of native jobs (worker_gang.cc). The task misses its peer of that number.
  void Misses(const state::TaskKey& task, int32_t number);
  // All members of the generation have come, the furthest with so many steps.
  void Form(const state::TaskKey& task, uint64_t generation, int64_t step);
  void Freeze(const state::TaskKey& task, int64_t duration_ms);

 private:
  void Connect();
  void Say(const ToScheduler& message);
  void Follow(const Wanted& wanted);
  void Probe(const state::ProbeNodes& asked);
  void Begin(const state::WantedTask& wanted);
  void Prepared(Task* task);
  void Pursue(Task* task);
  void Run(Task* task);
  void Train(Task* task);
  void Hold(Task* task);
  bool IsInGang(const Task& task) const;
  static int32_t RankOf(const Task& task, int32_t number);
  void Regroup(Task* task);
  void AwaitOthers(Task* task);
  void Accuse(Task* task, int32_t number);
  void SayLost(const state::TaskKey& key, uint64_t serial, uint64_t generation, int32_t number);
  void RunJoiner(Task* task);
  void SayReady(const state::TaskKey& key, uint64_t serial);
  void LeaveGang(Task* task);
  void TakeCheckpoint(Task* task, int64_t step);
  void StopSoon(Task* task);
  void End(Task* task, int32_t exit_code);
  void Fail(Task* task, bool infrastructure, const std::string& error);
  void Kill(const state::TaskKey& key);
  void Report(Task* task, state::TaskStage stage);
  void Repeat(const state::TaskKey& key, uint64_t serial);
  void RepeatUpload(const state::TaskKey& key, uint64_t serial, const std::string& name);
  int64_t StepOf(const Task& task) const;
  Task* Find(const state::TaskKey& key);
  // The task, if it is still the same one.
  Task* Find(const state::TaskKey& key, uint64_t serial);
  // Books `action` for the task, if it is still there then.
  template <typename Action>
  void In(int64_t delay_ms, const Task& task, Action action) {
    context_.agenda.In(delay_ms, [this, key = task.wanted.task, serial = task.serial, action] {
      Task* then = Find(key, serial);
      if (then != nullptr) action(then);
    });
  }
  // And if it still trains as it did.
  template <typename Action>
  void InEpoch(int64_t delay_ms, const Task& task, Action action) {
    In(delay_ms, task, [epoch = task.epoch, action](Task* then) {
      if (then->epoch == epoch) action(then);
    });
  }
  void CheckDevices();

  Context& context_;
  Fabric& fabric_;
  state::NodeOffer offer_;
  bool alive_ = false;
  int64_t vanished_until_ms_ = 0;
  uint64_t connection_ = 0;
  uint64_t incarnation_ = 0;
  uint64_t serial_ = 0;
  uint64_t term_ = 0;      // highest seen
  uint64_t sequence_ = 0;  // newest wanted set of that term
  std::optional<state::Notice> notice_;
  std::map<state::JobId, std::map<int32_t, Task>> tasks_;  // by job and rank
  std::map<state::JobId, state::Token> ended_;  // newest attempt of a job that ended here
};

}  // namespace baton::sim
