#include "worker/step/order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baton::worker {
namespace {

using ::testing::ElementsAre;

TEST(Order, TravelsWithAnyBytes) {
  for (const size_t length : {0u, 1u, 2u, 3u, 70'000u}) {
    StepOrder order;
    order.step = 3;
    order.argv = {"sh", "-c", std::string(length, '\xff')};
    order.folder = "/f";
    order.set = {{"A", "\x80 b"}};
    order.unset = {"B"};
    order.label = true;
    order.kill_on_bad_exit = false;
    order.cpus = 2;
    order.plan.tasks = 3;
    order.plan.parts = {{0, 0, 2}, {2, 2, 1}};
    order.paths = {"/t", "/d", "/e"};
    StepOrder read;
    ASSERT_TRUE(DecodeOrder(EncodeOrder(order), &read)) << length;
    EXPECT_EQ(read.step, 3);
    EXPECT_EQ(read.argv, order.argv);
    EXPECT_EQ(read.folder, "/f");
    EXPECT_EQ(read.set, order.set);
    EXPECT_EQ(read.unset, order.unset);
    EXPECT_TRUE(read.label);
    EXPECT_FALSE(read.kill_on_bad_exit);
    EXPECT_EQ(read.cpus, 2);
    EXPECT_EQ(read.plan.tasks, 3);
    ASSERT_EQ(read.plan.parts.size(), 2u);
    EXPECT_EQ(read.plan.parts[1].node, 2);
    EXPECT_EQ(read.plan.parts[1].first, 2);
    EXPECT_EQ(read.paths.environment, "/e");
  }
}

TEST(Order, WhatIsNoneIsRefused) {
  StepOrder order;
  EXPECT_FALSE(DecodeOrder("", &order));
  EXPECT_FALSE(DecodeOrder("garbage!", &order));
  EXPECT_FALSE(DecodeOrder(EncodeOrder(StepOrder()), &order)) << "without a program";
}

TEST(Order, PathsAreThoseOfTheNodeThatRunsIt) {
  StepOrder order;
  order.argv = {"python", "/w0/tasks/t/work/a.py", "--data=/w0/cache/d/x"};
  order.folder = "/w0/tasks/t/work";
  order.set = {{"OUT", "/w0/tasks/t/output:/usr"}};
  order.paths = {"/w0/tasks/t", "/w0/cache/d", ""};
  const StepOrder moved = Moved(order, {"/w1/tasks/u", "/w1/cache/d", "/env"});
  EXPECT_THAT(moved.argv, ElementsAre("python", "/w1/tasks/u/work/a.py", "--data=/w1/cache/d/x"));
  EXPECT_EQ(moved.folder, "/w1/tasks/u/work");
  EXPECT_EQ(moved.set[0].second, "/w1/tasks/u/output:/usr");
}

TEST(Order, OnlyWhatTheScriptChangedGoesAlong) {
  StepOrder order;
  SetChanges({"A=1", "B=2", "C=3"}, {"A=1", "B=x=y", "D="}, &order);
  EXPECT_THAT(order.set, ElementsAre(std::pair<std::string, std::string>{"B", "x=y"},
                                     std::pair<std::string, std::string>{"D", ""}));
  EXPECT_THAT(order.unset, ElementsAre("C"));
  EXPECT_THAT(WithChanges({"A=own", "C=own"}, order), ElementsAre("A=own", "B=x=y", "D="));
}

}  // namespace
}  // namespace baton::worker
