// The simulated driver: production's core, committer, codec and recovery over a store in memory. It
// crashes, and then all is lost that was not committed; what was not committed was told to nobody.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "scheduler/core/step.h"
#include "scheduler/sim/checkers.h"
#include "scheduler/sim/context.h"
#include "scheduler/sim/messages.h"
#include "scheduler/store/commit.h"
#include "scheduler/store/memory_store.h"

namespace baton::sim {

class Scheduler {
 public:
  Scheduler(Context& context, Fabric& fabric, Checkers& checkers, const state::Config& config);
  ~Scheduler();

  bool up() const { return process_ != nullptr; }
  uint64_t events() const { return events_; }
  const core::Core& core() const { return *process_->core; }
  store::MemoryStore& store() { return store_; }
  // Nothing is waiting for its commit.
  bool IsQuiet() const { return process_->queue.empty() && process_->in_flight.empty(); }

  // Recovers from the store under a new term.
  void Start();
  // Ends at once. A commit that is under way may have reached the disk, or not.
  void Crash();

  using Answer = std::function<void(const state::Outputs& outputs)>;
  // A client's call; the answer comes after the commit, or never.
  void Call(const state::Event& event, Answer answer);

  void Hear(uint64_t connection, const ToScheduler& message);
  // `died`: the worker's process is gone; else only the connection.
  void Disconnected(uint64_t connection, bool died);

 private:
  struct Waiting {
    uint64_t sequence = 0;
    store::Batch batch;
    state::Outputs outputs;
    Answer answer;
  };
  struct Session {
    uint64_t connection = 0;  // 0: broken; the lease goes on
    std::string incarnation;
    int64_t last_heard_ms = 0;
    std::vector<state::LastHeard> progress;
  };
  struct Process {
    uint64_t term = 0;
    int64_t started_ms = 0;
    store::SharedValues shared;
    std::unique_ptr<core::Core> core;
    std::unique_ptr<store::Committer> committer;
    std::deque<Waiting> queue;
    std::vector<Waiting> in_flight;
    std::map<state::NodeId, Session> sessions;
    std::map<uint64_t, state::NodeId> node_of;  // by connection
    uint64_t wanted_sequence = 0;
    int64_t timer_ms = INT64_MAX;  // booked
    uint64_t timers_in_a_row = 0;  // at one moment
  };

  void Apply(state::Event event, Answer answer);
  void Intern(state::Event& event);
  void BookTimer();
  void BookTick();
  void Tick();
  void BeginCommit();
  void EndCommit();
  void Release(const Waiting& waiting);
  void Tell(const state::Effect& effect);
  // Questions about a sweep: answered a little later, at times twice, and not after a crash.
  template <typename Question>
  void AnswerLater(const Question& question);
  void MeetZombie();
  // Books `action` for this life of the scheduler only.
  void In(int64_t delay_ms, std::function<void()> action);

  Context& context_;
  Fabric& fabric_;
  Checkers& checkers_;
  const state::Config config_;
  store::MemoryStore store_;
  std::unique_ptr<Process> process_;
  uint64_t life_ = 0;
  uint64_t events_ = 0;
};

}  // namespace baton::sim
