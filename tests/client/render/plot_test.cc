#include "client/render/plot.h"

#include <gtest/gtest.h>

#include <cmath>

namespace baton::client {
namespace {

TEST(Sparkline, RunsFromLowToHigh) {
  EXPECT_EQ(Sparkline({0, 1, 2, 3, 4, 5, 6, 7}, 8), "▁▂▃▄▅▆▇█");
  EXPECT_EQ(Sparkline({1, 1}, 8), "▄▄");
  EXPECT_EQ(Sparkline({}, 8), "");
  EXPECT_EQ(Sparkline({NAN, 1, INFINITY, 2}, 8), "▁█");
  EXPECT_EQ(Sparkline({0, 9, 0, 9, 0, 9}, 3), "▁▁▁");
}

TEST(Plot, ShowsTheBoundsOfItsAxes) {
  const std::string text = Plot("loss", {{0, 2}, {10, 1}}, 10, 2);
  EXPECT_EQ(text,
            "loss\n"
            "         2 ┤⠁⠀⠀⠀⠀⠀⠀⠀⠀⠀\n"
            "         1 ┤⠀⠀⠀⠀⠀⠀⠀⠀⠀⢀\n"
            "            0       10\n");
}

TEST(Plot, NothingFiniteIsNoPlot) {
  EXPECT_EQ(Plot("x", {}, 10, 2), "");
  EXPECT_EQ(Plot("x", {{0, NAN}}, 10, 2), "");
}

TEST(Plot, WhatIsNoCurveIsToldInALine) {
  EXPECT_EQ(Plot("acc", {{157, 0.867}}, 10, 2), "acc  0.867 at step 157\n");
  EXPECT_EQ(Plot("acc", {{157, 0.5}, {157, 0.25}}, 10, 2), "acc  0.25..0.5 at step 157\n");
  EXPECT_EQ(Plot("lr", {{1, 0.1}, {157, 0.1}}, 10, 2), "lr  0.1 at steps 1..157\n");
}

}  // namespace
}  // namespace baton::client
