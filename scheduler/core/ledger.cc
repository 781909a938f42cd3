#include "scheduler/core/ledger.h"

#include <algorithm>

namespace baton::core {
namespace {

constexpr int64_t kWhole = 1'000'000;

using state::Attempt;
using state::JobHistory;
using state::Phases;
using state::Task;

// Rounded up, so that a node full of ranks never pays less than its price.
int64_t Part(int64_t need, int64_t have) {
  if (need <= 0) return 0;
  if (have <= 0) return kWhole;
  const auto part = (static_cast<__int128>(need) * kWhole + have - 1) / have;
  return static_cast<int64_t>(std::min<__int128>(part, kWhole));
}

// When training began: the end of setup and restore.
int64_t TrainingBegins(const state::JobSpec& spec, const Attempt& attempt, int64_t end_ms) {
  int64_t begins = ProgressOf(attempt).first_step_ms;
  if (begins == 0 && spec.shards == 0) begins = attempt.running_ms;
  if (begins == 0) return end_ms;
  return std::clamp(begins, attempt.start_ms, end_ms);
}

// Until when an ended attempt's time is worth nothing without its steps: a drained one has used the
// time after its last step to save them; a failed one has finished nothing in it.
int64_t UndoneUntil(const state::JobSpec& spec, const Attempt& attempt) {
  const int64_t last_step_ms = ProgressOf(attempt).last_step_ms;
  if (spec.shards == 0 && last_step_ms == 0) return attempt.end_ms;
  return attempt.failed_ms != 0 ? attempt.end_ms : last_step_ms;
}

}  // namespace

int64_t DominantShare(const state::Resources& need, const state::NodeOffer& offer) {
  return std::max({Part(need.cpus_milli, offer.cpus_milli),
                   Part(need.memory_bytes, offer.memory_bytes),
                   Part(need.gpus, static_cast<int64_t>(offer.gpus.size()))});
}

Money Add(const Money& money, int64_t price_usd_micro_per_hour, int64_t share, int64_t held_ms) {
  const auto fractions =
      static_cast<__int128>(price_usd_micro_per_hour) * share * held_ms + money.remainder;
  return {.usd_micro = money.usd_micro + static_cast<int64_t>(fractions / kMoneyUnit),
          .remainder = static_cast<int64_t>(fractions % kMoneyUnit)};
}

void Bill(const state::Resources& need, const state::NodeOffer& offer, int64_t held_ms,
          JobHistory* job, state::Node* node) {
  const int64_t share = DominantShare(need, offer);
  const int64_t price = offer.price_usd_micro_per_hour;
  const int64_t on_demand =
      offer.on_demand_usd_micro_per_hour > 0 ? offer.on_demand_usd_micro_per_hour : price;
  const Money paid = Add({job->cost_usd_micro, job->cost_remainder}, price, share, held_ms);
  job->cost_usd_micro = paid.usd_micro;
  job->cost_remainder = paid.remainder;
  const Money other = Add({job->cost_on_demand_usd_micro, job->cost_on_demand_remainder}, on_demand,
                          share, held_ms);
  job->cost_on_demand_usd_micro = other.usd_micro;
  job->cost_on_demand_remainder = other.remainder;
  if (node == nullptr) return;
  const Money held = Add({node->held_usd_micro, node->held_remainder}, price, share, held_ms);
  node->held_usd_micro = held.usd_micro;
  node->held_remainder = held.remainder;
}

Progress ProgressOf(const Attempt& attempt) {
  Progress progress;
  for (const Task& task : attempt.tasks) {
    const bool first = task.first_step_ms != 0 &&
                       (progress.first_step_ms == 0 || task.first_step_ms < progress.first_step_ms);
    if (first) {
      progress.first_step = task.first_step;
      progress.first_step_ms = task.first_step_ms;
    }
    progress.last_step = std::max(progress.last_step, task.last_step);
    progress.last_step_ms = std::max(progress.last_step_ms, task.last_step_ms);
  }
  return progress;
}

Phases SplitAttempt(const state::JobSpec& spec, const Attempt& attempt, int64_t end_ms) {
  const int64_t end = std::max(end_ms, attempt.start_ms);
  const int64_t begins = TrainingBegins(spec, attempt, end);
  int64_t restore_ms = 0;
  int64_t save_ms = 0;
  for (const Task& task : attempt.tasks) {
    // The others train while a joiner begins.
    if (task.start_ms == 0) restore_ms = std::max(restore_ms, task.restore_ms);
    save_ms = std::max(save_ms, task.save_ms);
  }
  Phases phases;
  phases.restore_ms = std::clamp<int64_t>(restore_ms, 0, begins - attempt.start_ms);
  phases.setup_ms = begins - attempt.start_ms - phases.restore_ms;
  phases.save_ms = std::clamp<int64_t>(save_ms, 0, end - begins);
  phases.train_ms = end - begins - phases.save_ms;
  return phases;
}

int64_t Undo(const state::JobSpec& spec, int64_t resume_step, int64_t taken_ms,
             JobHistory* history) {
  for (auto a = history->attempts.rbegin(); a != history->attempts.rend(); ++a) {
    if (a->end_ms <= taken_ms) break;
    const int64_t from = std::max(taken_ms, TrainingBegins(spec, *a, a->end_ms));
    const int64_t undone = std::clamp<int64_t>(UndoneUntil(spec, *a) - from, 0, a->phases.train_ms);
    a->phases.train_ms -= undone;
    a->phases.lost_ms += undone;
    history->phases.train_ms -= undone;
    history->phases.lost_ms += undone;
  }
  if (history->attempts.empty()) return 0;
  const Attempt& last = history->attempts.back();
  const int64_t reached = std::max(ProgressOf(last).last_step, last.resume_step);
  return std::max<int64_t>(0, reached - resume_step);
}

}  // namespace baton::core
