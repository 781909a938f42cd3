#include "trainer/save_schedule.h"

#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

TEST(SaveScheduleTest, StepsFromTheSpecAreExact) {
  spec::CheckpointPolicy policy;
  policy.every_steps = 50;
  const SaveSchedule schedule(policy, 0);
  EXPECT_TRUE(schedule.exact());
  EXPECT_TRUE(schedule.Due(50, 1));
  EXPECT_TRUE(schedule.Due(100, 2));
  EXPECT_FALSE(schedule.Due(51, 1000000));
}

TEST(SaveScheduleTest, SecondsFromTheSpec) {
  spec::CheckpointPolicy policy;
  policy.every_ms = 3000;
  SaveSchedule schedule(policy, 10000);
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
  const SaveSchedule schedule(policy, 0);
  EXPECT_TRUE(schedule.Due(50, 1));
  EXPECT_FALSE(schedule.Due(51, 2999));
  EXPECT_TRUE(schedule.Due(51, 3000));
}

TEST(SaveScheduleTest, ByDefaultTheFirstComesSoonAndTheRestBySaveCost) {
  SaveSchedule schedule({}, 0);
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

}  // namespace
}  // namespace baton::trainer
