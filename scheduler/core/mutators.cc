#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"
#include "scheduler/core/machine.h"
#include "scheduler/policy/queue_order.h"
#include "scheduler/state/job_state.h"

namespace baton::core {

using state::Attempt;
using state::Job;
using state::JobState;
using state::Node;
using state::NodeId;

state::JobHistory& Machine::HistoryOf(Job* job) {
  if (job->history == nullptr) {
    job->history = std::make_unique<state::JobHistory>();
    job->history->phases_until_ms = job->submit_ms;
  }
  return *job->history;
}

void Machine::Move(Job* job, JobState to) {
  BATON_CHECK(state::LegalMove(job->state, to),
              absl::StrCat(job->id, ": ", state::Name(job->state), " -> ", state::Name(to)));
  waiting_gangs_ -= IsWaitingGang(*job) ? 1 : 0;
  job->state = to;
  waiting_gangs_ += IsWaitingGang(*job) ? 1 : 0;
  job->state_since_ms = now_ms_;
  IndexGrowth(*job);
  MarkJob(*job);
}

bool Machine::IsWaitingGang(const Job& job) {
  return job.state == JobState::kQueued && job.spec->ranks_max > 1;
}

void Machine::Enqueue(Job* job) {
  MarkJob(*job);
  if (HeldBackUntil(*job) <= now_ms_) queue_.Add(job);
}

void Machine::Dequeue(Job* job) {
  queue_.Remove(job);
  ReleasePromises(job->id);
}

void Machine::ChargeUsage(const state::JobSpec& spec, const state::Attempt& attempt,
                          int32_t tasks) {
  state::ProjectUsage& account = state_.counters.usage[spec.project];
  account = policy::Accrue(account, queue_.Running(spec.project), now_ms_);
  queue_.AddRunning(spec.project, policy::DominantDemand(state::NeedOf(spec, attempt), tasks));
  out_.counters_dirty = true;
  ForgetSmallAccounts();
}

// The accounts are stored with each change, so that they must stay few: beyond that, those of idle
// projects with the least usage are closed.
void Machine::ForgetSmallAccounts() {
  constexpr size_t kAccountsMax = 256;
  auto& usage = state_.counters.usage;
  while (usage.size() > kAccountsMax) {
    auto least = usage.end();
    int64_t least_usage = 0;
    for (auto it = usage.begin(); it != usage.end(); ++it) {
      if (queue_.Running(it->first) != 0) continue;
      const int64_t left = policy::Accrue(it->second, 0, now_ms_).usage;
      if (least != usage.end() && left >= least_usage) continue;
      least = it;
      least_usage = left;
    }
    if (least == usage.end()) return;
    usage.erase(least);
  }
}

void Machine::MarkJob(const Job& job) { dirty_jobs_.insert(job.id); }

void Machine::MarkNode(const Node& node) { dirty_nodes_.insert(node.offer.id); }

void Machine::Touch(const NodeId& node) { touched_.insert(node); }

void Machine::TouchAll(const Attempt& attempt) {
  for (const state::Task& task : attempt.tasks) {
    if (!HasEnded(task)) Touch(task.node);
  }
}

void Machine::Say(const Job& job, absl::string_view code, std::string text) {
  const bool started = job.history != nullptr && !job.history->attempts.empty();
  out_.notes.push_back({.job = job.id,
                        .at_ms = now_ms_,
                        .attempt = started ? job.history->attempts.back().number : 0,
                        .code = std::string(code),
                        .text = std::move(text)});
}

std::string Machine::NodeName(const NodeId& node) const {
  const auto it = state_.nodes.find(node);
  if (it == state_.nodes.end() || it->second.offer.name.empty()) return node;
  return it->second.offer.name;
}

std::string Machine::NodeNames(const Attempt& attempt) const {
  std::vector<std::string> names;
  for (const int32_t member : attempt.members) {
    const std::string name = NodeName(attempt.tasks[static_cast<size_t>(member)].node);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  constexpr size_t kNamesMax = 8;
  if (names.size() <= kNamesMax) return absl::StrJoin(names, ", ");
  const size_t others = names.size() - kNamesMax;
  names.resize(kNamesMax);
  return absl::StrCat(absl::StrJoin(names, ", "), " and ", others, " more");
}

}  // namespace baton::core
