#include "scheduler/policy/hazard.h"

#include "common/random.h"
#include "gtest/gtest.h"

namespace baton::policy {
namespace {

constexpr int64_t kHour = 3'600'000;
using Seen = std::vector<state::Losses>;

TEST(Hazard, AYoungClusterHasThePrior) {
  EXPECT_EQ(MeanLifeMs({}, true, 0), kSpotPriorMs);
  EXPECT_EQ(MeanLifeMs({}, true, 100 * kHour), kSpotPriorMs);
  EXPECT_EQ(MeanLifeMs({}, false, 0), kOnDemandPriorMs);
}

TEST(Hazard, ALifeCountsInEachClassThatItPassed) {
  Seen seen;
  CountLife(true, 30 * kHour, true, &seen);
  EXPECT_EQ(seen[HazardClass(true, 0)], (state::Losses{0, kHour}));
  EXPECT_EQ(seen[HazardClass(true, kHour)], (state::Losses{0, 5 * kHour}));
  EXPECT_EQ(seen[HazardClass(true, 6 * kHour)], (state::Losses{0, 18 * kHour}));
  EXPECT_EQ(seen[HazardClass(true, 24 * kHour)], (state::Losses{1, 6 * kHour}));
  EXPECT_EQ(seen[HazardClass(false, 0)], state::Losses{});
}

TEST(Hazard, ManyLossesMakeTheMeanTheirOwn) {
  Seen seen;
  for (int i = 0; i < 1000; ++i) CountLife(true, kHour / 2, true, &seen);
  EXPECT_NEAR(MeanLifeMs(seen, true, 0), kHour / 2, kHour / 50);
  EXPECT_EQ(MeanLifeMs(seen, false, 0), kOnDemandPriorMs) << "the other kind's is its own";
}

TEST(Hazard, OneLossCountsOnce) {
  Seen seen;
  CountLife(true, 0, true, &seen);
  EXPECT_EQ(MeanLifeMs(seen, true, 0), kSpotPriorMs / 2);
  EXPECT_EQ(MeanLifeMs(seen, true, 2 * kHour), kSpotPriorMs / 2);
}

TEST(Hazard, ALongCalmRaisesTheMean) {
  Seen seen;
  CountLife(true, 1000 * kHour, false, &seen);
  EXPECT_GT(MeanLifeMs(seen, true, 100 * kHour), 1000 * kHour);
  // Of the first hour little was seen: mostly what the kind says.
  EXPECT_EQ(MeanLifeMs(seen, true, 0), kSpotPriorMs + 1000 * kHour);
}

TEST(Hazard, AgesDifferWhereThereIsHistory) {
  Seen seen;
  for (int i = 0; i < 100; ++i) {
    CountLife(true, kHour / 4, true, &seen);  // many go soon
    CountLife(true, 20 * kHour, true, &seen);
  }
  EXPECT_LT(MeanLifeMs(seen, true, 0), 2 * kHour);
  EXPECT_GT(MeanLifeMs(seen, true, 2 * kHour), 5 * MeanLifeMs(seen, true, 0));
}

TEST(Hazard, TheGangsIsThatOfAllItsNodes) {
  EXPECT_EQ(MtbfMs({}), 0);
  EXPECT_NEAR(MtbfMs({12 * kHour}), 12 * kHour, 1);
  EXPECT_NEAR(MtbfMs({12 * kHour, 12 * kHour, 12 * kHour}), 4 * kHour, 1);
  EXPECT_NEAR(MtbfMs({12 * kHour, 1000 * kHour}), 12 * kHour * 1000 / 1012, 100);
}

// No order of lives, and no age, makes it zero or less than what one loss per life allows.
TEST(Hazard, RandomLivesStayWithinReason) {
  Random random(7);
  Seen seen;
  int64_t longest = 0;
  for (int i = 0; i < 500; ++i) {
    const auto age = static_cast<int64_t>(random.Below(60 * kHour));
    longest = std::max(longest, age);
    CountLife(random.Below(2) == 0, age, random.Below(3) != 0, &seen);
    for (const bool spot : {false, true}) {
      const int64_t mean = MeanLifeMs(seen, spot, static_cast<int64_t>(random.Below(60 * kHour)));
      EXPECT_GT(mean, 0);
      EXPECT_LT(mean, kOnDemandPriorMs + (i + 1) * longest * 2);
    }
  }
}

}  // namespace
}  // namespace baton::policy
