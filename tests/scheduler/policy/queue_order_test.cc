#include "scheduler/policy/queue_order.h"

#include <gtest/gtest.h>

#include <cmath>

#include "common/random.h"

namespace baton::policy {
namespace {

TEST(Decay, HalvesInAHalfLife) {
  EXPECT_EQ(Decay(1'000'000, 0), 1'000'000);
  EXPECT_NEAR(static_cast<double>(Decay(1'000'000, kUsageHalfLifeMs)), 500'000, 1);
  EXPECT_NEAR(static_cast<double>(Decay(1'000'000, 3 * kUsageHalfLifeMs)), 125'000, 1);
  EXPECT_EQ(Decay(1'000'000, 100 * kUsageHalfLifeMs), 0);
}

TEST(Decay, FollowsTheExponential) {
  Random random(7);
  for (int i = 0; i < 1000; ++i) {
    const int64_t usage = random.Between(0, int64_t{1} << 50);
    const int64_t elapsed_ms = random.Between(0, 20 * kUsageHalfLifeMs);
    const double exact =
        static_cast<double>(usage) *
        std::exp2(-static_cast<double>(elapsed_ms) / static_cast<double>(kUsageHalfLifeMs));
    ASSERT_NEAR(static_cast<double>(Decay(usage, elapsed_ms)), exact, exact * 1e-9 + 64)
        << usage << " after " << elapsed_ms << " ms, seed 7";
  }
}

TEST(Decay, DoesNotDependOnHowOftenItIsApplied) {
  const int64_t usage = int64_t{1} << 50;
  int64_t in_steps = usage;
  for (int i = 0; i < 1000; ++i) in_steps = Decay(in_steps, 3'600);
  EXPECT_NEAR(static_cast<double>(in_steps), static_cast<double>(Decay(usage, 3'600'000)), 22'000);
}

TEST(Accrue, AddsWhatRuns) {
  const state::ProjectUsage account = Accrue({.usage = 0, .as_of_ms = 1'000}, 2'000, 61'000);
  EXPECT_EQ(account.usage, 2'000 * 60'000);
  EXPECT_EQ(account.as_of_ms, 61'000);
}

TEST(Accrue, NeverOverflows) {
  const state::ProjectUsage account =
      Accrue({.usage = int64_t{1} << 61, .as_of_ms = 0}, int64_t{1} << 60, int64_t{1} << 40);
  EXPECT_EQ(account.usage, int64_t{1} << 61);
}

TEST(Before, PriorityThenUsageThenAge) {
  const QueueRank high = {.priority = 1, .usage = 100, .order = 9};
  const QueueRank poor = {.priority = 0, .usage = 1, .order = 8};
  const QueueRank old = {.priority = 0, .usage = 2, .order = 1};
  const QueueRank young = {.priority = 0, .usage = 2, .order = 2};
  EXPECT_TRUE(Before(high, poor));
  EXPECT_TRUE(Before(poor, old));
  EXPECT_TRUE(Before(old, young));
  EXPECT_FALSE(Before(young, old));
  EXPECT_FALSE(Before(old, old));
}

TEST(DominantDemand, IsTheDearestResource) {
  state::Resources need;
  need.cpus_milli = 2'000;
  EXPECT_EQ(DominantDemand(need, 3), 6'000);
  need.memory_bytes = int64_t{16} << 30;
  EXPECT_NEAR(static_cast<double>(DominantDemand(need, 1)), 4'000, 1);
  need.gpus = 1;
  EXPECT_EQ(DominantDemand(need, 2), 32'000);
}

}  // namespace
}  // namespace baton::policy
