// What workers and the scheduler say to each other, and who carries it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "scheduler/state/effect.h"
#include "scheduler/state/event.h"

namespace baton::sim {

struct Goodbye {};

using ToScheduler = std::variant<state::NodeJoined, state::TaskReported, state::CheckpointUploaded,
                                 state::NodeNoticed, state::NoticeWithdrawn, state::NodesProbed,
                                 state::LossReported, state::MemberReady, Goodbye>;

// The whole wanted set; an older one (term, then sequence) is ignored by the worker.
struct Wanted {
  uint64_t term = 0;
  uint64_t sequence = 0;
  std::vector<state::WantedTask> tasks;
};

using ToWorker = std::variant<Wanted, state::AckReport, state::AckCheckpoint, state::ProbeNodes>;

class Worker;

// The network between them. A connection is a number that is never used again.
class Fabric {
 public:
  virtual ~Fabric() = default;

  // Worker's side. 0: nobody listens.
  virtual uint64_t Connect(Worker* worker) = 0;
  virtual void Say(uint64_t connection, const ToScheduler& message) = 0;
  // The worker's end is gone; `told`: the scheduler's host hears of its process's death at once,
  // else it only hears nothing any more.
  virtual void Gone(uint64_t connection, bool told) = 0;
  // A rank ended badly: its peers on other nodes see their connections break.
  virtual void GangBroken(const state::TaskKey& task) = 0;

  // A member comes to where its generation meets, with the finished steps of its state; -1: none.
  virtual void Arrive(const state::TaskKey& task, uint64_t generation,
                      const std::vector<int32_t>& members, int64_t step) = 0;
  // Who has not come there.
  virtual std::vector<int32_t> Missing(state::Token token, uint64_t generation) const = 0;

  // What the node finds when it dials another; empty: it is answered.
  virtual std::string Dial(const state::NodeId& from, const state::ProbeTarget& to) = 0;

  // Scheduler's side.
  virtual void Say(uint64_t connection, const ToWorker& message) = 0;
  virtual void Close(uint64_t connection) = 0;
  // Heartbeats come through, with the progress of the running tasks.
  virtual bool IsHeard(uint64_t connection) const = 0;
  virtual std::vector<state::LastHeard> Progress(uint64_t connection) const = 0;
};

}  // namespace baton::sim
