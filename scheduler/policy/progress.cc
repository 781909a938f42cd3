#include "scheduler/policy/progress.h"

#include <algorithm>

namespace baton::policy {
namespace {

using state::Attempt;
using state::EndCause;
using state::JobHistory;

// One that was taken away sooner, before its programs ran, has lost nothing worth a rule.
constexpr int64_t kPreparingMsMin = 60'000;

bool WasTaken(const Attempt& attempt) {
  return attempt.verdict_deadline_ms == 0 &&
         (attempt.cause == EndCause::kPreempted || attempt.cause == EndCause::kNodeLost);
}

bool HasCrashed(const Attempt& attempt) {
  return attempt.verdict_deadline_ms == 0 &&
         (attempt.cause == EndCause::kCrashed || attempt.cause == EndCause::kPeerLost);
}

bool SaysNothing(const Attempt& attempt) {
  if (attempt.end_ms == 0 || attempt.cause == EndCause::kStartFailed) return true;
  const bool blames_node = std::any_of(
      attempt.tasks.begin(), attempt.tasks.end(),
      [&](const state::Task& task) { return task.infrastructure && IsMember(attempt, task.rank); });
  if (blames_node) return true;
  return WasTaken(attempt) && attempt.running_ms == 0 &&
         attempt.end_ms - attempt.start_ms < kPreparingMsMin;
}

int64_t LastStep(const Attempt& attempt) {
  int64_t step = 0;
  for (const state::Task& task : attempt.tasks) step = std::max(step, task.last_step);
  return step;
}

bool HasFinishedAStep(const Attempt& attempt) {
  if (LastStep(attempt) > attempt.resume_step) return true;
  return std::any_of(attempt.tasks.begin(), attempt.tasks.end(),
                     [](const state::Task& task) { return task.first_step_ms != 0; });
}

}  // namespace

std::vector<const Attempt*> FruitlessLosses(const JobHistory& history) {
  const int32_t saved = history.checkpoints.empty() ? 0 : history.checkpoints.back().attempt;
  std::vector<const Attempt*> losses;
  int64_t step_after = 0;  // of the attempt after the one that is looked at
  for (auto a = history.attempts.rbegin(); a != history.attempts.rend(); ++a) {
    if (a->number <= history.retried_after) break;
    if (SaysNothing(*a)) continue;
    if (!WasTaken(*a) || a->number <= saved) break;
    // It has come through a loss and trained on: it was getting somewhere.
    if (a->elastic.survived > 0) break;
    const int64_t step = LastStep(*a);
    // The one after it got further than this one: the row begins with that.
    if (!losses.empty() && step_after > step) break;
    losses.push_back(&*a);
    step_after = step;
  }
  return losses;
}

NextTry ChooseNextTry(state::Capacity capacity, size_t fruitless_losses,
                      bool on_demand_could_hold) {
  if (fruitless_losses < kLossesForOnDemand) return NextTry::kAsBefore;
  const bool may = capacity != state::Capacity::kSpot && on_demand_could_hold;
  return may && fruitless_losses < kLossesForHold ? NextTry::kOnDemandOnly : NextTry::kHold;
}

int32_t CrashesOn(const JobHistory& history, const std::string& checkpoint) {
  int32_t crashes = 0;
  for (auto a = history.attempts.rbegin(); a != history.attempts.rend(); ++a) {
    if (a->number <= history.retried_after) break;
    if (a->end_ms == 0) continue;
    if (a->resume_name != checkpoint || HasFinishedAStep(*a)) break;
    if (HasCrashed(*a)) ++crashes;
  }
  return crashes;
}

}  // namespace baton::policy
