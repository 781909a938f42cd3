#include "trainer/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace baton::trainer {
namespace {

using Kind = spec::Schedule::Kind;

spec::Optimizer With(Kind kind) {
  spec::Optimizer options;
  options.lr = 0.4;
  options.schedule.kind = kind;
  return options;
}

TEST(ScheduleTest, ConstantStays) {
  for (int64_t step : {0, 1, 999}) {
    EXPECT_EQ(LearningRate(With(Kind::kConstant), step, {1000, 100}), 0.4);
  }
}

TEST(ScheduleTest, StepFallsWithTheEpochs) {
  spec::Optimizer options = With(Kind::kStep);
  options.schedule.every_epochs = 2;
  options.schedule.factor = 0.5;
  const RunLength run{.steps_total = 100, .steps_per_epoch = 10};
  EXPECT_EQ(LearningRate(options, 0, run), 0.4);
  EXPECT_EQ(LearningRate(options, 19, run), 0.4);
  EXPECT_EQ(LearningRate(options, 20, run), 0.2);
  EXPECT_EQ(LearningRate(options, 59, run), 0.1);
  EXPECT_EQ(LearningRate(options, 99, run), 0.4 / 16);
}

TEST(ScheduleTest, CosineIsThatOfLibm) {
  spec::Optimizer options = With(Kind::kCosine);
  options.schedule.lr_min = 0.01;
  const RunLength run{.steps_total = 1000, .steps_per_epoch = 10};
  for (int64_t step = 0; step < 1000; ++step) {
    const double progress = static_cast<double>(step) / 1000;
    EXPECT_NEAR(LearningRate(options, step, run), 0.01 + 0.39 * (1 + std::cos(M_PI * progress)) / 2,
                1e-15)
        << step;
  }
  EXPECT_EQ(LearningRate(options, 0, run), 0.4);
  EXPECT_NEAR(LearningRate(options, 500, run), 0.205, 1e-16);
}

TEST(ScheduleTest, WarmUpIsAStraightLineToTheBase) {
  for (Kind kind : {Kind::kConstant, Kind::kStep, Kind::kCosine}) {
    spec::Optimizer options = With(kind);
    options.schedule.warmup_steps = 4;
    const RunLength run{.steps_total = 24, .steps_per_epoch = 24};
    EXPECT_DOUBLE_EQ(LearningRate(options, 0, run), 0.1);
    EXPECT_DOUBLE_EQ(LearningRate(options, 2, run), 0.3);
    EXPECT_EQ(LearningRate(options, 3, run), 0.4);
    EXPECT_EQ(LearningRate(options, 4, run), 0.4);
  }
  // The cosine's half way lies in the middle of what is left.
  spec::Optimizer cosine = With(Kind::kCosine);
  cosine.schedule.warmup_steps = 4;
  EXPECT_NEAR(LearningRate(cosine, 14, {24, 24}), 0.2, 1e-16);
}

TEST(ScheduleTest, AWarmUpAsLongAsTheRunIsLegal) {
  spec::Optimizer cosine = With(Kind::kCosine);
  cosine.schedule.warmup_steps = 10;
  EXPECT_EQ(LearningRate(cosine, 9, {10, 10}), 0.4);
  EXPECT_EQ(LearningRate(cosine, 10, {10, 10}), 0.4);
}

}  // namespace
}  // namespace baton::trainer
