#include "scheduler/edge/reactions.h"

#include <utility>

namespace baton::edge {
namespace {

RendezvousRelay::Gang GangOf(const state::Job& job) {
  RendezvousRelay::Gang gang{.job = job.id, .token = 0, .generation = 0, .lost_ranks = {}};
  const state::Attempt* live = job.LiveAttempt();
  if (live == nullptr) return gang;
  gang.token = live->token;
  gang.generation = live->generation;
  for (size_t rank = 0; rank < live->members.size(); ++rank) {
    const state::Task& task = live->tasks[static_cast<size_t>(live->members[rank])];
    const bool failed = task.phase == state::TaskPhase::kExited && task.exit_code != 0;
    if (failed || task.phase == state::TaskPhase::kLost) {
      gang.lost_ranks.push_back(static_cast<int32_t>(rank));
    }
  }
  return gang;
}

}  // namespace

Release Reactions::OnApplied(const Seen& seen) {
  const state::Outputs& outputs = *seen.outputs;
  to_.watches.AddNotes(outputs.notes);
  std::vector<RendezvousRelay::Gang> gangs;
  for (const auto& job : outputs.deleted_jobs) to_.watches.Changed(job->id);
  for (const state::JobId& id : outputs.dirty_jobs) {
    const auto it = seen.core.state().jobs.find(id);
    if (it == seen.core.state().jobs.end()) continue;
    to_.watches.Changed(id);
    if (it->second.history == nullptr) continue;  // a gang meets only once it was started
    gangs.push_back(GangOf(it->second));
    const state::Token newest =
        it->second.history->attempts.empty() ? 0 : it->second.history->attempts.back().token;
    to_.progress.ForgetBefore(id, it->second.LiveAttempt() == nullptr ? newest + 1 : newest);
  }
  if (outputs.effects.empty() && gangs.empty()) return nullptr;
  return [this, effects = outputs.effects, gangs = std::move(gangs),
          sweeps = to_.sweeps.Take(seen)]() mutable {
    to_.sessions.Deliver(std::move(effects));
    if (sweeps) sweeps();
    to_.rendezvous.Update(gangs);
  };
}

std::vector<state::Event> Reactions::OnTick(int64_t monotonic_ms, bool gap) {
  to_.sweeps.Tick();
  std::vector<state::Event> events = to_.sessions.Tick(monotonic_ms, gap);
  state::NodesProbed probed = to_.probes.Take();
  if (!probed.nodes.empty()) events.emplace_back(std::move(probed));
  return events;
}

}  // namespace baton::edge
