#include "scheduler/core/step.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "scheduler/core/machine.h"

namespace baton::core {

using state::Attempt;
using state::Job;
using state::Node;
using state::Task;
using state::TaskPhase;

Machine::Machine(state::State initial) : state_(std::move(initial)) {
  now_ms_ = state_.counters.now_ms;
  recovered_ms_ = now_ms_;
  fleet_.SetTerm(state_.counters.term);
  for (auto& [id, node] : state_.nodes) fleet_.Add(&node);
  fleet_.SetReach(&state_.reach);
  for (auto& [id, job] : state_.jobs) {
    IndexLive(job);
    waiting_gangs_ += IsWaitingGang(job) ? 1 : 0;
    if (job.state == state::JobState::kQueued && HeldBackUntil(job) <= now_ms_) queue_.Add(&job);
    deadlines_.Set(id, DeadlineOf(job));
  }
  for (auto& [id, node] : state_.nodes) {
    if (node.promised_to.empty()) continue;
    promises_[node.promised_to].insert(id);
    fleet_.SetPromise(id, state_.jobs.at(node.promised_to).spec);
  }
  pass_cut_short_ = queue_.AnyRunnable();
}

void Machine::IndexLive(const Job& job) {
  if (job.history == nullptr) return;
  for (const Attempt& attempt : job.history->attempts) {
    if (attempt.verdict_deadline_ms != 0) undecided_.insert(job.id);
  }
  const Attempt* attempt = job.LiveAttempt();
  if (attempt == nullptr) return;
  for (const Task& task : attempt->tasks) {
    if (task.phase == TaskPhase::kExited || task.phase == TaskPhase::kLost) continue;
    tasks_on_[task.node].insert({job.id, task.rank});
    fleet_.Take(task.node, state::NeedOf(*job.spec, *attempt), task.gpus);
  }
  queue_.AddRunning(job.spec->project, policy::DominantDemand(state::NeedOf(*job.spec, *attempt),
                                                              attempt->world_size));
}

Outputs Machine::Step(const state::Event& event, int64_t now_ms) {
  now_ms_ = std::max(now_ms_, now_ms);
  out_ = Outputs();
  dirty_jobs_.clear();
  dirty_nodes_.clear();
  touched_.clear();
  probes_.clear();
  touched_sweeps_.clear();
  dirty_trials_.clear();
  out_.reply = std::visit([this](const auto& e) { return On(e); }, event);
  if (out_.reply.ok()) Pass();
  for (const state::NodeId& id : touched_) {
    const auto node = state_.nodes.find(id);
    if (node == state_.nodes.end() || !node->second.up) continue;
    out_.effects.push_back(state::SendWanted{
        .node = id, .incarnation = node->second.offer.incarnation, .tasks = Wanted(id)});
  }
  SendProbes();
  AskForTrials();
  for (const state::JobId& id : dirty_jobs_) {
    deadlines_.Set(id, DeadlineOf(state_.jobs.at(id)));
  }
  out_.dirty_jobs.assign(dirty_jobs_.begin(), dirty_jobs_.end());
  out_.dirty_nodes.assign(dirty_nodes_.begin(), dirty_nodes_.end());
  for (const auto& [id, asked] : touched_sweeps_) out_.dirty_sweeps.push_back(id);
  out_.dirty_trials.assign(dirty_trials_.begin(), dirty_trials_.end());
  out_.counters_dirty = out_.counters_dirty || !out_.dirty_jobs.empty() ||
                        !out_.dirty_nodes.empty() || !out_.dirty_sweeps.empty();
  if (out_.counters_dirty) state_.counters.now_ms = now_ms_;
  return std::move(out_);
}

int64_t Machine::NextDeadline() const {
  const int64_t next_ms = std::min(deadlines_.Next(), ReachDeadline());
  return pass_cut_short_ ? std::min(now_ms_, next_ms) : next_ms;
}

absl::Status Machine::On(const state::SchedulerStarted& event) {
  state_.counters.term = event.term;
  state_.counters.started_ms = now_ms_;
  fleet_.SetTerm(event.term);
  ClearReach();
  out_.counters_dirty = true;
  for (const auto& [id, job] : state_.jobs) {
    if (job.history != nullptr) deadlines_.Set(id, DeadlineOf(job));
  }
  AskAllAgain();
  return absl::OkStatus();
}

struct Core::Impl {
  explicit Impl(state::State state) : machine(std::move(state)) {}
  Machine machine;
};

Core::Core(state::State state) : impl_(std::make_unique<Impl>(std::move(state))) {}
Core::~Core() = default;

Outputs Core::Step(const state::Event& event, int64_t now_ms) {
  return impl_->machine.Step(event, now_ms);
}

int64_t Core::NextDeadline() const { return impl_->machine.NextDeadline(); }

const state::State& Core::state() const { return impl_->machine.state(); }

std::vector<state::WantedTask> Core::Wanted(const state::NodeId& node) const {
  return impl_->machine.Wanted(node);
}

std::string Core::Explain(const state::JobId& job, int64_t now_ms) const {
  return impl_->machine.Explain(job, now_ms);
}

state::Phases Core::PhasesAt(const state::Job& job, int64_t now_ms) const {
  return impl_->machine.PhasesAt(job, now_ms);
}

Core::AtRisk Core::AtRiskAt(const state::Job& job, int64_t now_ms) const {
  return impl_->machine.AtRiskAt(job, now_ms);
}

Core::Cost Core::CostAt(const state::Job& job, int64_t now_ms) const {
  return impl_->machine.CostAt(job, now_ms);
}

}  // namespace baton::core
