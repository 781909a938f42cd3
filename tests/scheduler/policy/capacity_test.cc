#include "scheduler/policy/capacity.h"

#include <gtest/gtest.h>

namespace baton::policy {
namespace {

using state::Capacity;
using state::EndCause;

state::JobHistory Ended(std::initializer_list<EndCause> causes) {
  state::JobHistory history;
  for (const EndCause cause : causes) {
    state::Attempt attempt;
    attempt.number = static_cast<int32_t>(history.attempts.size()) + 1;
    attempt.cause = cause;
    history.attempts.push_back(attempt);
  }
  return history;
}

TEST(CapacityAllows, WhatWasAskedFor) {
  state::NodeOffer spot;
  spot.spot = true;
  const state::NodeOffer steady;
  EXPECT_TRUE(CapacityAllows(Capacity::kAuto, spot));
  EXPECT_TRUE(CapacityAllows(Capacity::kAuto, steady));
  EXPECT_TRUE(CapacityAllows(Capacity::kSpot, spot));
  EXPECT_FALSE(CapacityAllows(Capacity::kSpot, steady));
  EXPECT_FALSE(CapacityAllows(Capacity::kOnDemand, spot));
  EXPECT_TRUE(CapacityAllows(Capacity::kOnDemand, steady));
}

TEST(PrefersOnDemand, AfterThreeFruitlessAttempts) {
  const auto taken = EndCause::kPreempted;
  state::JobHistory two = Ended({taken, EndCause::kNodeLost});
  EXPECT_FALSE(PrefersOnDemand(Capacity::kAuto, &two));
  state::JobHistory three = Ended({taken, EndCause::kNodeLost, taken});
  EXPECT_TRUE(PrefersOnDemand(Capacity::kAuto, &three));
  EXPECT_FALSE(PrefersOnDemand(Capacity::kSpot, &three));
  EXPECT_FALSE(PrefersOnDemand(Capacity::kAuto, nullptr));
}

TEST(PrefersOnDemand, NotWhenACheckpointWasCommittedInBetween) {
  state::JobHistory history =
      Ended({EndCause::kPreempted, EndCause::kPreempted, EndCause::kPreempted});
  state::Checkpoint checkpoint;
  checkpoint.attempt = 2;
  history.checkpoints.push_back(checkpoint);
  EXPECT_FALSE(PrefersOnDemand(Capacity::kAuto, &history));
}

TEST(PrefersOnDemand, ACrashBreaksTheRow) {
  state::JobHistory history =
      Ended({EndCause::kPreempted, EndCause::kCrashed, EndCause::kPreempted, EndCause::kPreempted});
  EXPECT_FALSE(PrefersOnDemand(Capacity::kAuto, &history));
}

}  // namespace
}  // namespace baton::policy
