// Tasks that give no sign of life.
#include <algorithm>
#include <string>

#include "worker/core/agent.h"

namespace baton::worker {
namespace {

std::string Seconds(int64_t ms) {
  return ms < 1000 ? std::to_string(ms) + " ms" : std::to_string(ms / 1000) + " s";
}

}  // namespace

// Steady; 0: never.
int64_t Agent::HangTime(const AgentTask& task) const {
  // While the scheduler is away a gang may have to wait for its word.
  if (!welcome_ && was_welcome_) return 0;
  if (task.phase != Phase::kRunning || task.killed || task.stop.has_value()) return 0;
  const TaskSpec& spec = *task.wanted.spec;
  const int64_t limit_ms = HangLimitMs(spec.hang_after_ms, spec.command.empty(), task.pace);
  const int64_t alive_ms = std::max({task.running_ms, task.pace.alive_ms(), welcomed_ms_});
  return limit_ms == 0 ? 0 : alive_ms + limit_ms;
}

// Ended like one that crashed: the scheduler starts it again, elsewhere if that helps.
void Agent::EndHung(Now now) {
  for (auto& [key, task] : tasks_) {
    const int64_t hang_ms = HangTime(task);
    if (hang_ms == 0 || now.steady_ms < hang_ms) continue;
    const int64_t silent_ms =
        now.steady_ms - std::max({task.running_ms, task.pace.alive_ms(), welcomed_ms_});
    const int64_t median_ms = task.pace.median_ms();
    task.hung = "hung: no step for " + Seconds(silent_ms) +
                (median_ms > 0 ? ", where its steps take " + Seconds(median_ms) : "") +
                "; it was killed, to start again (hang_after)";
    task.killed = true;
    Emit(Kill{key});
  }
}

}  // namespace baton::worker
