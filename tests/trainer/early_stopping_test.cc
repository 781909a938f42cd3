#include "trainer/early_stopping.h"

#include <gtest/gtest.h>

#include <vector>

namespace baton::trainer {
namespace {

// The step after which a run of these test losses stops, one test each ten steps; 0: it does not.
int64_t StopOf(const spec::EarlyStopping& rule, const std::vector<double>& losses, Best* best) {
  EarlyStopping stopping(rule);
  int64_t step = 0;
  for (const double loss : losses) {
    step += 10;
    stopping.Judge(step, loss);
    *best = stopping.best();
    if (stopping.stop()) return step;
  }
  return 0;
}

TEST(EarlyStoppingTest, StopsAfterSoManyTestsThatAreNotBetter) {
  Best best;
  EXPECT_EQ(StopOf({.patience = 2}, {3, 2, 2.5, 1, 1, 1.5, 0.5}, &best), 60);
  EXPECT_EQ(best.step, 40);
  EXPECT_EQ(best.loss, 1);
  EXPECT_EQ(StopOf({.patience = 1}, {1, 2, 0}, &best), 20);
  EXPECT_EQ(StopOf({.patience = 3}, {5, 4, 3, 4, 4, 2}, &best), 0);
  EXPECT_EQ(best.step, 60);
}

TEST(EarlyStoppingTest, ALittleBetterMayNotBeEnough) {
  Best best;
  EXPECT_EQ(StopOf({.patience = 2, .min_delta = 0.5}, {3, 2.6, 2.4, 2.2, 1.9}, &best), 50);
  EXPECT_EQ(best.step, 30) << "2.4 is the first below 3 - 0.5; neither 2.2 nor 1.9 is below 1.9";
}

TEST(EarlyStoppingTest, ATestThatAResumeRepeatsCountsOnce) {
  EarlyStopping stopping({.patience = 2});
  EXPECT_TRUE(stopping.Judge(10, 1));
  EXPECT_FALSE(stopping.Judge(20, 2));
  EarlyStopping resumed({.patience = 2}, stopping.best());
  EXPECT_FALSE(resumed.Judge(20, 2));
  EXPECT_FALSE(resumed.stop());
  EXPECT_FALSE(resumed.Judge(30, 2));
  EXPECT_TRUE(resumed.stop());
  EXPECT_EQ(resumed.best().step, 10);
}

}  // namespace
}  // namespace baton::trainer
