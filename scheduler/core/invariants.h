// What must always hold, each in a function of its own; the simulator and the scenarios ask after
// every event. Some look at one state, some at the step between two. A function returns what is
// wrong, with the job or node it is wrong about; the empty string: it holds.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/core/step.h"

namespace baton::core {

// --- On one job or node. ---

// At most one live attempt, the newest; one task per rank; live if and only if the state says so.
std::string OneLiveAttempt(const state::Job& job);
// Members of each attempt are tasks of it, as many as its world size; others have ended, are let go
// or are to join.
std::string MembersInOrder(const state::Job& job, const state::Attempt& attempt);
// A job is RESCALING while a later generation than the first has not finished a step; accusations
// are between members of the present one; a loss is decided at once, or waits for what others say.
std::string GenerationsSettle(const state::Job& job);
// A live task is on a node that is up.
std::string LiveTasksOnUpNodes(const state::State& state, const state::Job& job);
// Wall milliseconds by phase add up to end, or now, minus submit; none is negative.
std::string PhasesAddUp(const Core& core, const state::Job& job, int64_t now_ms);
// Names differ, steps grow, each has a digest; what the live attempt started from is kept.
std::string CheckpointsInOrder(const state::Job& job);
// A job runs only if it has a retry left for each verdict that is open.
std::string RetriesCoverVerdicts(const state::Job& job);
// A job that ended has said how; one that has not ended has no end.
std::string EndIsTold(const state::Job& job);
// A job is held by somebody and for a reason, and no other is.
std::string HoldIsTold(const state::Job& job);
// A queued job has a reason in words, and if it could start, a pass is due.
std::string WaitsForAReason(const Core& core, const state::Job& job, int64_t now_ms);

// Of a sweep: its trials are numbered without a gap, no more than it may have and no more live ones
// than it may have at a time; each is a job of its own that lives as the trial does; the best is
// the best of those that were reported; it has ended if and only if nothing more is to come.
std::string SweepAddsUp(const state::State& state, const state::Sweep& sweep);

// --- On the whole state; reads every job. ---

// No two tasks hold the same GPU, and no node is given away twice.
std::string NoDeviceTwice(const state::State& state);
// What all jobs paid is what all nodes were held for, to the last fraction.
std::string MoneyAgrees(const state::State& state);
// Tokens are unique and below the next one.
std::string TokensAreUnique(const state::State& state);

// --- On a step. ---

// What the checker remembers of a job from the step before.
struct JobMemory {
  state::JobState state = state::JobState::kQueued;
  bool live = false;
  int32_t attempt = 0;
  state::Token token = 0;
  int32_t retries_left = 0;
  int32_t preemptions = 0;
  int64_t steps_lost = 0;
  int64_t cost_usd_micro = 0;
  size_t recoveries = 0;
  int32_t blamed = 0;             // attempts that ended by the program's fault
  std::string newest_checkpoint;  // name
  uint64_t generation = 0;  // of the newest attempt, with its members and how many tasks it had
  std::vector<int32_t> members;
  size_t tasks = 0;
};
JobMemory Remember(const state::Job& job);

// What the checker remembers of a sweep from the step before.
struct SweepMemory {
  state::SweepState state = state::SweepState::kRunning;
  std::vector<std::string> params;  // by trial
  int32_t done = 0;
};
SweepMemory Remember(const state::Sweep& sweep);

// An attempt begins only on nodes that are shown to reach each other, or are one machine.
std::string GangsBeginWhereShown(const state::State& state, const JobMemory* before,
                                 const state::Job& after);

// Within an attempt generations rise, each change of members is a new one, and no task goes.
std::string GenerationsRise(const JobMemory& before, const state::Job& after);
// A task is to join only where it is shown to reach all members, and they it.
std::string JoinersReachAll(const state::State& state, const JobMemory& before,
                            const state::Job& after);

// No trial is forgotten or drawn anew, none that is done lives again, and what has ended stays so.
std::string SweepsOnlyGrow(const SweepMemory& before, const state::Sweep& after);

// A refusal changes nothing.
std::string RefusalChangesNothing(const Outputs& outputs);
// What an older token says is refused: `before` is the sender's job as it was.
std::string OlderTokensAreRefused(const state::Event& event, const JobMemory* before,
                                  const Outputs& outputs);
// A wanted set names exactly the live tasks of its node, each under its attempt's token.
std::string EffectsCarryTheToken(const Core& core, const Outputs& outputs);
// Cost, preemptions, steps lost and recoveries never fall; tokens rise.
std::string LedgersOnlyGrow(const JobMemory& before, const state::Job& after);
// Retries fall only by attempts for which the program is to blame: never by a preemption.
std::string OnlyFailuresCostRetries(const JobMemory& before, const state::Job& after);
// A job that has ended stays so, unless a person retries it; SUCCEEDED is for ever.
std::string EndedStaysEnded(const state::Event& event, const JobMemory& before,
                            const state::Job& after);
// A job goes only when a person deletes it, and only once it has ended; its request stays known.
std::string OnlyEndedIsDeleted(const Core& core, const state::Event& event, const JobMemory& before,
                               const state::Job& deleted);
// So does a sweep, with the jobs of all its trials.
std::string OnlyEndedIsDeleted(const Core& core, const state::Event& event,
                               const state::Sweep& deleted);
// The newest committed checkpoint leaves only for a newer one, because it is damaged, because the
// program crashes on it again and again, or for a person's retry from another.
std::string CheckpointsStay(const state::Event& event, const JobMemory& before,
                            const state::Job& after);

// Checks what an event touched after every event, in time that does not grow with the number of
// jobs, and everything when asked.
class InvariantChecker {
 public:
  // Remembers the core's present state: make a new one after each recovery.
  explicit InvariantChecker(const Core& core);

  // To be called once after each Step.
  std::string AfterStep(const Core& core, const state::Event& event, const Outputs& outputs,
                        int64_t now_ms);

  // Every invariant over every job and node.
  std::string Everything(const Core& core, int64_t now_ms) const;

 private:
  using TaskRef = std::pair<state::JobId, int32_t>;

  std::string CheckJob(const Core& core, const state::Event& event, const state::JobId& id,
                       int64_t now_ms);
  std::string CheckNode(const Core& core, const state::NodeId& id) const;
  std::string CheckSweep(const Core& core, const state::SweepId& id);
  void Track(const state::Job& job);

  std::map<state::JobId, JobMemory> jobs_;
  std::map<state::SweepId, SweepMemory> sweeps_;
  std::map<state::NodeId, std::set<TaskRef>> tasks_on_;
  std::map<state::JobId, std::vector<std::pair<state::NodeId, int32_t>>> placed_;
  std::set<state::NodeId> touched_;
};

}  // namespace baton::core
