#include "worker/core/pace.h"

#include <gtest/gtest.h>

namespace baton::worker {
namespace {

TEST(StepPace, TheMedianIsOfTheNewestStepsAndNeedsSome) {
  StepPace pace;
  int64_t at_ms = 1'000;
  for (int64_t step = 1; step <= 5; ++step) {
    at_ms += 100;
    pace.Saw(step, at_ms, at_ms, step);
  }
  EXPECT_EQ(pace.median_ms(), 0) << "four durations are too few";
  at_ms += 900;
  pace.Saw(6, at_ms, at_ms, 6);
  EXPECT_EQ(pace.median_ms(), 100) << "one slow step is no other pace";
  // Several between two looks count with their mean; enough of them are the new pace.
  for (int64_t step = 8; step <= 80; step += 2) {
    at_ms += 400;
    pace.Saw(step, at_ms, at_ms, step);
  }
  EXPECT_EQ(pace.median_ms(), 200);
}

TEST(StepPace, StepsAndTouchesAreSignsOfLifeAndRepetitionsAreNot) {
  StepPace pace;
  EXPECT_EQ(pace.alive_ms(), 0);
  pace.Saw(0, 0, 0, 50);
  EXPECT_EQ(pace.alive_ms(), 50);
  pace.Saw(1, 1'000, 1'000, 100);
  pace.Saw(1, 1'000, 1'000, 200);
  EXPECT_EQ(pace.alive_ms(), 100);
  pace.Saw(1, 1'000, 1'700, 300);
  EXPECT_EQ(pace.alive_ms(), 300) << "it evaluates";
  pace.Saw(2, 2'000, 2'000, 400);
  EXPECT_EQ(pace.alive_ms(), 400);
  // A clock that was set back is no reason to forget a step.
  pace.Saw(3, 1'500, 1'500, 500);
  EXPECT_EQ(pace.alive_ms(), 500);
}

TEST(HangLimit, FollowsTheSpecElseTheMedianOfANativeTask) {
  StepPace pace;
  EXPECT_EQ(HangLimitMs(0, true, pace), 0);
  EXPECT_EQ(HangLimitMs(7'000, false, pace), 7'000);
  EXPECT_EQ(HangLimitMs(-1, true, pace), 0);
  int64_t at_ms = 0;
  for (int64_t step = 1; step <= 10; ++step) {
    at_ms += 40'000;
    pace.Saw(step, at_ms, at_ms, step);
  }
  EXPECT_EQ(HangLimitMs(0, true, pace), 800'000) << "twenty steps of 40 s";
  EXPECT_EQ(HangLimitMs(0, false, pace), 0);
  StepPace quick;
  for (int64_t step = 1; step <= 10; ++step) quick.Saw(step, step, step, step);
  EXPECT_EQ(HangLimitMs(0, true, quick), 300'000);
}

}  // namespace
}  // namespace baton::worker
