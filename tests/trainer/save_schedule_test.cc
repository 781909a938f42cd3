#include "trainer/save_schedule.h"

#include <cmath>

#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

TEST(SaveScheduleTest, StepsFromTheSpecAreExact) {
  spec::CheckpointPolicy policy;
  policy.every_steps = 50;
  const SaveSchedule schedule(policy, 0, 0);
  EXPECT_TRUE(schedule.exact());
  EXPECT_TRUE(schedule.Due(50, 1));
  EXPECT_TRUE(schedule.Due(100, 2));
  EXPECT_FALSE(schedule.Due(51, 1000000));
}

TEST(SaveScheduleTest, SecondsFromTheSpec) {
  spec::CheckpointPolicy policy;
  policy.every_ms = 3000;
  SaveSchedule schedule(policy, 0, 10000);
  EXPECT_FALSE(schedule.exact());
  EXPECT_FALSE(schedule.Due(7, 12999));
  EXPECT_TRUE(schedule.Due(7, 13000));
  schedule.Begun(13000);
  schedule.Ended(100.0);  // the spec's word counts, whatever it costs
  EXPECT_FALSE(schedule.Due(8, 15999));
  EXPECT_TRUE(schedule.Due(8, 16000));
}

TEST(SaveScheduleTest, BothMeansWhicheverComesFirst) {
  spec::CheckpointPolicy policy;
  policy.every_steps = 50;
  policy.every_ms = 3000;
  const SaveSchedule schedule(policy, 0, 0);
  EXPECT_TRUE(schedule.Due(50, 1));
  EXPECT_FALSE(schedule.Due(51, 2999));
  EXPECT_TRUE(schedule.Due(51, 3000));
}

TEST(SaveScheduleTest, ByDefaultTheFirstComesSoonAndTheRestBySaveCost) {
  SaveSchedule schedule({}, 0, 0);
  EXPECT_FALSE(schedule.Due(1, 499));
  EXPECT_TRUE(schedule.Due(1, 500));
  schedule.Begun(500);
  schedule.Ended(0.001);  // cheap: not more often than every two seconds
  EXPECT_FALSE(schedule.Due(2, 2499));
  EXPECT_TRUE(schedule.Due(2, 2500));
  schedule.Begun(2500);
  schedule.Ended(0.5);  // 0.5 s in 50 s is one part in a hundred
  EXPECT_FALSE(schedule.Due(3, 52499));
  EXPECT_TRUE(schedule.Due(3, 52500));
  schedule.Begun(52500);
  schedule.Ended(3600);  // never rarer than every ten minutes
  EXPECT_TRUE(schedule.Due(4, 52500 + 600000));
}

TEST(SaveScheduleTest, TheBestIntervalIsYoungsWithDalysTerms) {
  // sqrt(2 * 2 * 3600) = 120, of which the higher terms take away most of the write itself.
  EXPECT_NEAR(BestIntervalS(2, 3600), 120 - 2 + 2.0 / 3, 0.02);
  EXPECT_NEAR(BestIntervalS(1e-6, 3600), 0.0849, 1e-4);
  EXPECT_EQ(BestIntervalS(100, 50), 50);
  EXPECT_EQ(BestIntervalS(1000, 50), 50);
}

// Expected time for a second of work with a save each `interval`, where losses are exponential and
// a restart takes no time: Daly's equation 13.
double CostOf(double interval, double write_s, double mtbf_s) {
  return mtbf_s * (std::exp((interval + write_s) / mtbf_s) - 1) / interval;
}

TEST(SaveScheduleTest, NoOtherIntervalIsMuchBetter) {
  for (const double write_s : {0.01, 1.0, 30.0}) {
    for (const double mtbf_s : {300.0, 3600.0, 1e6}) {
      const double best = BestIntervalS(write_s, mtbf_s);
      for (const double factor : {0.25, 0.5, 0.8, 1.25, 2.0, 4.0}) {
        EXPECT_LE(CostOf(best, write_s, mtbf_s), CostOf(best * factor, write_s, mtbf_s) * 1.0005)
            << write_s << " " << mtbf_s << " " << factor;
      }
    }
  }
}

TEST(SaveScheduleTest, TheHazardDecidesWithinFloorAndCeiling) {
  SaveSchedule calm({}, 12 * 3'600'000, 0);
  calm.Begun(0);
  calm.Ended(0.1);  // sqrt(2 * 0.1 * 43200) = 93 s, where the cost alone would say 10
  EXPECT_FALSE(calm.Due(1, 92'000));
  EXPECT_TRUE(calm.Due(1, 93'000));
  SaveSchedule stormy({}, 60'000, 0);
  stormy.Begun(0);
  stormy.Ended(0.1);
  EXPECT_FALSE(stormy.Due(1, 3'300));
  EXPECT_TRUE(stormy.Due(1, 3'500));

  spec::CheckpointPolicy policy;
  policy.at_least_ms = 20'000;
  policy.at_most_ms = 30'000;
  SaveSchedule floor(policy, 60'000, 0);
  EXPECT_TRUE(floor.Due(1, 500)) << "the first comes early, whatever the floor";
  floor.Begun(0);
  floor.Ended(0.1);
  EXPECT_FALSE(floor.Due(1, 19'999));
  EXPECT_TRUE(floor.Due(1, 20'000));
  SaveSchedule ceiling(policy, 12 * 3'600'000, 0);
  ceiling.Begun(0);
  ceiling.Ended(0.1);
  EXPECT_FALSE(ceiling.Due(1, 29'999));
  EXPECT_TRUE(ceiling.Due(1, 30'000));
}

TEST(SaveScheduleTest, WhoAsksGetsOneSave) {
  spec::CheckpointPolicy policy;
  policy.every_steps = 50;
  SaveSchedule schedule(policy, 0, 0);
  EXPECT_FALSE(schedule.Due(51, 1));
  schedule.Ask();
  EXPECT_TRUE(schedule.Due(51, 1));
  schedule.Begun(1);
  EXPECT_FALSE(schedule.Due(52, 2));
}

}  // namespace
}  // namespace baton::trainer
