// Judges from outside: what clients were told, what workers were told, and what the programs really
// did, held against the scheduler's state. The core's own invariants (core/invariants.h) are asked
// after every event too.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/core/invariants.h"
#include "scheduler/core/step.h"
#include "scheduler/sim/context.h"
#include "scheduler/store/store.h"

namespace baton::sim {

class Checkers {
 public:
  explicit Checkers(Context& context) : context_(context) {}

  // What the scheduler does.
  void OnRecovered(const state::State& state);
  void OnApplied(const core::Core& core, const state::Event& event, const state::Outputs& outputs,
                 int64_t now_ms);
  // Just before an event's effects and answer leave.
  void OnReleased(const store::Store& store, uint64_t sequence, const state::Outputs& outputs);
  // With nothing waiting for its commit: what is stored is what is in memory.
  void OnQuiet(const store::Store& store, const core::Core& core);
  // Everything, slowly.
  void Everything(const core::Core& core, int64_t now_ms);

  // The answer to a submit leaves the scheduler: the jobs must be stored by now.
  void OnAnswered(const store::Store& store, const state::Outputs& outputs);

  // What clients were told.
  void Acknowledged(const std::vector<state::JobId>& jobs);
  // A retry may have its effect though its answer was lost, so that it counts from its call on; a
  // cancel holds once it was answered, if no retry was called after it. Returns the calls so far.
  uint64_t RetriesCalled(const state::JobId& job) const;
  void RetryCalled(const state::JobId& job);
  // From now on it may be gone, whether or not an answer comes.
  void DeleteCalled(const state::JobId& job) { delete_called_.insert(job); }
  void CancelAcknowledged(const state::JobId& job, uint64_t retries_called_before);

  // After the faults have stopped and time has passed: what could run has ended.
  void AtTheEnd(const core::Core& core, int64_t now_ms);
  bool AllEnded(const core::Core& core) const;

  const std::set<state::JobId>& acknowledged() const { return acknowledged_; }

  void SweepAcknowledged(const state::SweepId& sweep) { acknowledged_sweeps_.insert(sweep); }
  void SweepStopAcknowledged(const state::SweepId& sweep) { stopped_sweeps_.insert(sweep); }
  const std::set<state::SweepId>& acknowledged_sweeps() const { return acknowledged_sweeps_; }

 private:
  void Fail(const std::string& invariant, const std::string& what) {
    if (!what.empty()) context_.Fail(invariant + ": " + what);
  }
  void CheckTokens(const state::SendWanted& wanted);
  void CheckMembers(const state::WantedTask& task);
  void CheckHealthy(const state::Job& job);
  void CountProbes(const state::Outputs& outputs);
  void CheckSweepsKept(const state::State& state);
  void CheckSweepsStored(const state::State& stored, const state::State& held);
  void CheckSweepsEnded(const core::Core& core);
  bool IsLost(const state::State& state, const state::JobId& acknowledged) const;
  bool IsDeleted(const state::State& state, const std::string& id) const;

  Context& context_;
  std::unique_ptr<core::InvariantChecker> invariants_;
  uint64_t applied_ = 0;
  std::set<state::JobId> acknowledged_;
  std::set<state::JobId> cancelled_;
  std::set<state::JobId> delete_called_;
  std::map<state::JobId, uint64_t> retries_called_;
  std::set<state::SweepId> acknowledged_sweeps_;
  std::set<state::SweepId> stopped_sweeps_;
  // Of trials that were stored: what was drawn for each.
  std::map<std::pair<state::SweepId, int32_t>, std::string> drawn_;
  // Of attempts that workers were told about.
  std::map<state::Token, std::pair<state::JobId, int32_t>> attempt_of_token_;
  std::map<state::JobId, state::Token> newest_token_;
  std::map<state::Token, std::map<uint64_t, std::vector<int32_t>>> members_told_;
};

// The sweep waits for an answer, not for its trials.
bool SomethingIsAsked(const state::Sweep& sweep);

// Ranks of the job that the nodes could hold if they were empty; nodes that take no work hold none.
int64_t RanksThatCouldFit(const state::State& state, const state::Job& job);

}  // namespace baton::sim
