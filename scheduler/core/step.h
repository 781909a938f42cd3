// The only entry to the core: (state, event, now) -> (state', outputs). Deterministic; no I/O, no
// clock, no thread, no randomness. Production, simulator and replay run this same code.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "scheduler/state/effect.h"
#include "scheduler/state/event.h"
#include "scheduler/state/outputs.h"
#include "scheduler/state/state.h"

namespace baton::core {

using Outputs = state::Outputs;

// Stands at the head of each segment of the event log. Raise it with every change by which the same
// events could lead to other decisions, other words included: a replay then reports them as such.
inline constexpr char kVersion[] = "5";

// Explain's answer for a queued job that nothing but the jobs before it keeps from starting: a pass
// is due.
inline constexpr char kItsTurnIsNext[] =
    "its turn comes as soon as the jobs before it have started";

// State with its derived indexes (queue order, free capacity, deadlines), which are rebuilt from
// the state by the constructor: recovery is "load, construct, apply SchedulerStarted".
class Core {
 public:
  explicit Core(state::State state);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Applies the event and makes all decisions that follow from it. `now_ms` below the newest time
  // seen counts as that time.
  Outputs Step(const state::Event& event, int64_t now_ms);

  // When TimerFired should come, if nothing else does; INT64_MAX: never.
  int64_t NextDeadline() const;

  const state::State& state() const;

  // The node's whole wanted set (for a session that has just joined); empty for an unknown node.
  std::vector<state::WantedTask> Wanted(const state::NodeId& node) const;

  // Why the job is in its state, in words; for a queued one the same code path that decides.
  std::string Explain(const state::JobId& job, int64_t now_ms) const;

  // The job's phases with the open one closed at `now_ms` (live cost likewise).
  state::Phases PhasesAt(const state::Job& job, int64_t now_ms) const;
  struct Cost {
    int64_t usd_micro = 0;
    int64_t on_demand_usd_micro = 0;
  };
  Cost CostAt(const state::Job& job, int64_t now_ms) const;
  // What would be lost with the live attempt; zeros without one.
  struct AtRisk {
    int64_t age_ms = -1;    // of the state in the newest committed checkpoint; -1: there is none
    int64_t usd_micro = 0;  // paid for this attempt since then
  };
  AtRisk AtRiskAt(const state::Job& job, int64_t now_ms) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace baton::core
