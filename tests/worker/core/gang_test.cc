// Gangs that change while their tasks run, as one worker's agent sees it.
#include <gtest/gtest.h>

#include "tests/worker/core/agent_fixture.h"

namespace baton::worker {
namespace {

class GangTest : public AgentTest {
 protected:
  // Task 0 of a gang whose members are these tasks, in this generation.
  static Wanted Member(uint64_t generation, const std::vector<int32_t>& tasks,
                       Goal goal = Goal::kRun) {
    Wanted wanted = Want(goal);
    wanted.generation = generation;
    wanted.world_size = static_cast<int32_t>(tasks.size());
    for (const int32_t task : tasks) {
      wanted.peers.push_back(
          {static_cast<int32_t>(wanted.peers.size()), task, "n", "10.0.0.1", 4000});
    }
    return wanted;
  }
  void RunMember() {
    Connect();
    Wanting({Member(1, {0, 1, 2})});
    Do(TaskPrepared{kKey, "10.0.0.1", 4000, 10, 20, {}});
    Do(TaskStarted{kKey, 99});
  }
  void Progress(int64_t step, uint64_t generation, int64_t generation_step) {
    After(10, TaskProgressed{{kKey, step, unix_ms_, 0, generation, generation_step}});
  }
};

TEST_F(GangTest, ARunningTaskIsToldOfEachNewerGenerationOnce) {
  RunMember();
  Wanting({Member(1, {0, 1, 2})});
  EXPECT_EQ(Count<Regroup>(), 0);
  Wanting({Member(2, {0, 2})});
  ASSERT_EQ(Count<Regroup>(), 1);
  const Wanted task = All<Regroup>()[0].task;
  EXPECT_EQ(task.generation, 2u);
  EXPECT_EQ(task.world_size, 2);
  ASSERT_EQ(task.peers.size(), 2u);
  EXPECT_EQ(task.peers[1].task, 2);
  EXPECT_EQ(Count<Kill>() + Count<Start>() + Count<Terminate>(), 0) << "it goes on";
  Wanting({Member(2, {0, 2})});
  EXPECT_EQ(Count<Regroup>(), 0);
  Do(LinkLost{});
  Do(LinkUp{});
  Do(Welcomed{term_, 1000});
  Wanting({Member(4, {0, 2, 3})});
  EXPECT_EQ(Count<Regroup>(), 1) << "what it has missed it need not know";
}

TEST_F(GangTest, WhatHappensBeforeItsStartIsInItsFirstFile) {
  Connect();
  Wanting({Member(1, {0, 1, 2}, Goal::kPrepare)});
  Wanting({Member(2, {0, 2})});
  EXPECT_EQ(Count<Regroup>(), 0);
  Do(TaskPrepared{kKey, "10.0.0.1", 4000, 10, 20, {}});
  ASSERT_EQ(Count<Start>(), 1);
  EXPECT_EQ(All<Start>()[0].task.generation, 2u);
  Wanting({Member(3, {0})});
  EXPECT_EQ(Count<Regroup>(), 1) << "its program is being started";
}

TEST_F(GangTest, WhoIsLetGoHearsOfItsSuccessorsBeforeItsDeadline) {
  RunMember();
  Wanted go = Member(2, {1, 2}, Goal::kStop);
  go.stop_deadline_ms = unix_ms_ + 60'000;
  go.stop_reason = "no longer needed";
  Wanting({go});
  ASSERT_EQ(Count<Regroup>(), 1);
  ASSERT_EQ(Count<WriteDeadline>(), 1);
  EXPECT_TRUE(std::holds_alternative<Regroup>(effects_[0]));
}

TEST_F(GangTest, AStopOfAllLeavesTheMembershipAsItIs) {
  RunMember();
  Wanted stop = Want(Goal::kStop);
  stop.generation = 2;
  stop.stop_deadline_ms = unix_ms_ + 60'000;
  Wanting({stop});
  EXPECT_EQ(Count<Regroup>(), 0);
}

TEST_F(GangTest, WhoJoinsAGangOfOneIsNotTakenForIt) {
  Connect();
  TaskKey joiner = kKey;
  joiner.rank = 3;
  Wanted wanted = Member(5, {0});
  wanted.key = joiner;
  Wanting({wanted});
  Do(TaskPrepared{joiner, "10.0.0.9", 4009, 10, 20, {}});
  ASSERT_EQ(Count<Start>(), 1);
  ASSERT_EQ(All<Start>()[0].task.peers.size(), 1u);
  EXPECT_EQ(All<Start>()[0].task.peers[0].task, 0);
  EXPECT_EQ(All<Start>()[0].task.peers[0].address, "10.0.0.1");
}

TEST_F(GangTest, TheFirstStepIsToldForEachGenerationOnceItIsFinished) {
  RunMember();
  Progress(0, 1, 0);
  EXPECT_EQ(Count<SendReport>(), 0);
  Progress(3, 1, 0);
  ASSERT_EQ(Count<SendReport>(), 1);
  EXPECT_EQ(All<SendReport>()[0].report.stage, Stage::kFirstStep);
  EXPECT_EQ(All<SendReport>()[0].report.first_step, 1);
  EXPECT_EQ(All<SendReport>()[0].report.generation, 1u);
  Progress(50, 1, 0);
  EXPECT_EQ(Count<SendReport>(), 0);
  // It has formed the next one with what it had.
  Progress(50, 2, 50);
  EXPECT_EQ(Count<SendReport>(), 0) << "no step is finished yet";
  Progress(51, 2, 50);
  ASSERT_EQ(Count<SendReport>(), 1);
  const Report report = All<SendReport>()[0].report;
  EXPECT_EQ(report.stage, Stage::kFirstStep);
  EXPECT_EQ(report.first_step, 1) << "of the task";
  EXPECT_EQ(report.generation, 2u);
  EXPECT_EQ(report.generation_step, 50);
  EXPECT_EQ(report.generation_step_ms, unix_ms_ - 10);
  Progress(52, 2, 50);
  EXPECT_EQ(Count<SendReport>(), 0);
}

TEST_F(GangTest, ARetoldFirstStepSurvivesAReconnect) {
  RunMember();
  Progress(3, 1, 0);
  Do(ReportAcked{kKey, Stage::kFirstStep});
  Do(LinkLost{});
  Progress(8, 2, 7);
  EXPECT_EQ(Count<SendReport>(), 0) << "nobody listens";
  Do(LinkUp{});
  ASSERT_EQ(All<SendHello>()[0].tasks.size(), 1u);
  const Report report = All<SendHello>()[0].tasks[0];
  EXPECT_EQ(report.stage, Stage::kFirstStep);
  EXPECT_EQ(report.generation, 2u);
  EXPECT_EQ(report.generation_step, 7);
}

TEST_F(GangTest, TheFirstStepOfAJoinerIsTheOneBehindTheStateThatItWasGiven) {
  Connect();
  Wanted wanted = Member(5, {1, 2});
  wanted.resume = {"step-100", 100, "d"};
  Wanting({wanted});
  Do(TaskPrepared{kKey, "a", 1, 0, 0, {}});
  Do(TaskStarted{kKey, 1});
  Progress(500, 6, 500);
  EXPECT_EQ(Count<SendReport>(), 0);
  Progress(502, 6, 500);
  ASSERT_EQ(Count<SendReport>(), 1);
  EXPECT_EQ(All<SendReport>()[0].report.first_step, 501);
}

TEST_F(GangTest, AProgramThatSaysNoGenerationTellsItsFirstStepOnce) {
  RunMember();
  Progress(3, 0, 0);
  ASSERT_EQ(Count<SendReport>(), 1);
  EXPECT_EQ(All<SendReport>()[0].report.generation, 0u);
  Progress(4, 0, 0);
  EXPECT_EQ(Count<SendReport>(), 0);
}

}  // namespace
}  // namespace baton::worker
