#include "scheduler/policy/capacity.h"

#include <gtest/gtest.h>

namespace baton::policy {
namespace {

using state::Capacity;

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

}  // namespace
}  // namespace baton::policy
