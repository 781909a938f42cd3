#include <algorithm>

#include "scheduler/core/ledger.h"
#include "scheduler/core/machine.h"

namespace baton::core {

state::Phases Machine::PhasesAt(const state::Job& job, int64_t now_ms) const {
  state::Phases phases;
  int64_t until_ms = job.submit_ms;
  if (job.history != nullptr) {
    phases = job.history->phases;
    until_ms = job.history->phases_until_ms;
  }
  if (state::IsEnded(job.state) && job.history != nullptr) return phases;
  const int64_t at_ms = std::max(until_ms, job.end_ms != 0 ? job.end_ms : now_ms);
  const state::Attempt* attempt = job.LiveAttempt();
  if (attempt == nullptr) {
    (job.state == state::JobState::kHeld ? phases.idle_ms : phases.queue_ms) += at_ms - until_ms;
    return phases;
  }
  const state::Phases live = SplitAttempt(*job.spec, *attempt, at_ms);
  phases.setup_ms += live.setup_ms;
  phases.restore_ms += live.restore_ms;
  phases.train_ms += live.train_ms;
  phases.save_ms += live.save_ms;
  return phases;
}

// The seconds of an outage count once the worker has told them.
int64_t Machine::PaidUntil(const state::Task& task, int64_t now_ms) const {
  if (task.end_ms != 0) return task.end_ms;
  const bool unheard = state_.nodes.at(task.node).Unheard(state_.counters.term);
  return unheard ? std::min(now_ms, recovered_ms_) : now_ms;
}

Core::AtRisk Machine::AtRiskAt(const state::Job& job, int64_t now_ms) const {
  const state::Attempt* attempt = job.LiveAttempt();
  if (attempt == nullptr) return {};
  Core::AtRisk risk;
  int64_t since_ms = attempt->start_ms;
  if (!job.history->checkpoints.empty()) {
    const state::Checkpoint& newest = job.history->checkpoints.back();
    // By the worker's clock, which may be ahead of ours.
    const int64_t taken_ms = newest.taken_ms > 0 && newest.attempt > 0
                                 ? std::min(newest.taken_ms, newest.committed_ms)
                                 : newest.committed_ms;
    risk.age_ms = std::max<int64_t>(0, now_ms - taken_ms);
    since_ms = std::max(since_ms, taken_ms);
  }
  state::JobHistory paid;
  for (const state::Task& task : attempt->tasks) {
    const int64_t held_ms = std::max<int64_t>(0, PaidUntil(task, now_ms) - since_ms);
    Bill(state::NeedOf(*job.spec, *attempt), state_.nodes.at(task.node).offer, held_ms, &paid,
         nullptr);
  }
  risk.usd_micro = paid.cost_usd_micro;
  return risk;
}

Core::Cost Machine::CostAt(const state::Job& job, int64_t now_ms) const {
  if (job.history == nullptr) return {};
  state::JobHistory cost;
  cost.cost_usd_micro = job.history->cost_usd_micro;
  cost.cost_remainder = job.history->cost_remainder;
  cost.cost_on_demand_usd_micro = job.history->cost_on_demand_usd_micro;
  cost.cost_on_demand_remainder = job.history->cost_on_demand_remainder;
  if (const state::Attempt* attempt = job.LiveAttempt(); attempt != nullptr) {
    for (const state::Task& task : attempt->tasks) {
      const bool ended =
          task.phase == state::TaskPhase::kExited || task.phase == state::TaskPhase::kLost;
      if (ended) continue;
      const int64_t held_ms = std::max<int64_t>(0, PaidUntil(task, now_ms) - attempt->start_ms);
      Bill(state::NeedOf(*job.spec, *attempt), state_.nodes.at(task.node).offer, held_ms, &cost,
           nullptr);
    }
  }
  return {.usd_micro = cost.cost_usd_micro, .on_demand_usd_micro = cost.cost_on_demand_usd_micro};
}

}  // namespace baton::core
