#include "scheduler/core/ledger.h"

#include <gtest/gtest.h>

namespace baton::core {
namespace {

using state::Attempt;
using state::JobSpec;
using state::Task;

Attempt TrainedAttempt() {
  Attempt attempt;
  attempt.start_ms = 1'000;
  attempt.running_ms = 1'200;
  Task task;
  task.restore_ms = 100;
  task.first_step = 11;
  task.first_step_ms = 1'500;
  task.last_step = 20;
  task.last_step_ms = 2'500;
  task.save_ms = 50;
  attempt.tasks.push_back(task);
  return attempt;
}

TEST(SplitAttempt, AddsUpForANativeJob) {
  JobSpec spec;
  spec.shards = 4;
  const state::Phases p = SplitAttempt(spec, TrainedAttempt(), 3'000);
  EXPECT_EQ(p.setup_ms, 400);
  EXPECT_EQ(p.restore_ms, 100);
  EXPECT_EQ(p.save_ms, 50);
  EXPECT_EQ(p.train_ms, 1'450);
}

TEST(SplitAttempt, NeverExceedsTheAttempt) {
  JobSpec spec;
  spec.shards = 4;
  Attempt attempt = TrainedAttempt();
  attempt.tasks[0].restore_ms = 1'000'000;
  attempt.tasks[0].save_ms = 1'000'000;
  const state::Phases p = SplitAttempt(spec, attempt, 3'000);
  EXPECT_EQ(p.setup_ms, 0);
  EXPECT_EQ(p.restore_ms, 500);
  EXPECT_EQ(p.save_ms, 1'500);
  EXPECT_EQ(p.train_ms, 0);
}

TEST(SplitAttempt, ACommandTrainsFromItsStart) {
  Attempt attempt = TrainedAttempt();
  attempt.tasks[0] = Task();
  const state::Phases p = SplitAttempt(JobSpec(), attempt, 3'000);
  EXPECT_EQ(p.setup_ms, 200);
  EXPECT_EQ(p.train_ms, 1'800);
}

TEST(Undo, MovesWhatCameAfterTheCheckpoint) {
  JobSpec spec;
  spec.shards = 4;
  state::JobHistory history;
  Attempt attempt = TrainedAttempt();
  attempt.end_ms = 3'000;
  attempt.failed_ms = 2'900;
  attempt.phases = SplitAttempt(spec, attempt, 3'000);
  history.phases = attempt.phases;
  history.attempts.push_back(attempt);
  // The checkpoint is of step 15, taken at 2 000: five steps and a second are lost.
  EXPECT_EQ(Undo(spec, 15, 2'000, &history), 5);
  EXPECT_EQ(history.phases.lost_ms, 1'000);
  EXPECT_EQ(history.phases.train_ms, 450);
  EXPECT_EQ(history.attempts[0].phases.lost_ms, 1'000);
}

TEST(Undo, OfADrainedAttemptIsNothingAfterItsLastStep) {
  JobSpec spec;
  spec.shards = 4;
  state::JobHistory history;
  Attempt attempt = TrainedAttempt();
  attempt.end_ms = 3'000;
  attempt.phases = SplitAttempt(spec, attempt, 3'000);
  history.phases = attempt.phases;
  history.attempts.push_back(attempt);
  EXPECT_EQ(Undo(spec, 20, 2'500, &history), 0);
  EXPECT_EQ(history.phases.lost_ms, 0);
}

TEST(Money, CarriesWhatDoesNotMakeAMicroDollar) {
  // 30 000 micro-USD per hour for a quarter of a node and 36 ms: 0.075 micro-USD.
  Money money;
  for (int i = 0; i < 1000; ++i) money = Add(money, 30'000, 250'000, 36);
  EXPECT_EQ(money.usd_micro, 75);
  EXPECT_EQ(money.remainder, 0);
}

TEST(Money, DoesNotOverflowForAYearOfTheDearestNode) {
  const int64_t year_ms = int64_t{365} * 24 * 3'600'000;
  const Money money = Add({}, int64_t{1'000'000'000}, 1'000'000, year_ms);
  EXPECT_EQ(money.usd_micro, int64_t{1'000'000'000} * 365 * 24);
}

TEST(DominantShare, IsTheLargestPart) {
  state::NodeOffer offer;
  offer.cpus_milli = 8'000;
  offer.memory_bytes = int64_t{16} << 30;
  state::Resources need;
  need.cpus_milli = 1'000;
  EXPECT_EQ(DominantShare(need, offer), 125'000);
  need.memory_bytes = int64_t{12} << 30;
  EXPECT_EQ(DominantShare(need, offer), 750'000);
}

}  // namespace
}  // namespace baton::core
