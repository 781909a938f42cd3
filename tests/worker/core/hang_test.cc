// Tasks that give no sign of life.
#include <gtest/gtest.h>

#include "tests/worker/core/agent_fixture.h"

namespace baton::worker {
namespace {

class HangTest : public AgentTest {
 protected:
  void RunWith(int64_t hang_after_ms, bool native) {
    Connect();
    Wanted wanted = Want(Goal::kRun);
    auto spec = std::make_shared<TaskSpec>(*wanted.spec);
    spec->hang_after_ms = hang_after_ms;
    if (!native) spec->command = {"train"};
    wanted.spec = spec;
    Wanting({wanted});
    Do(TaskPrepared{kKey, "127.0.0.1", 4000, 10, 20, {}});
    Do(TaskStarted{kKey, 99});
  }
  void Steps(int64_t count, int64_t each_ms) {
    for (int64_t i = 0; i < count; ++i) {
      After(each_ms, TaskProgressed{{kKey, ++step_, unix_ms_ + each_ms, 0}, unix_ms_ + each_ms});
    }
  }
  int64_t step_ = 0;
};

TEST_F(HangTest, ARankWithoutAStepIsNamedAndEnded) {
  RunWith(60'000, false);
  Steps(3, 1'000);
  After(59'999);
  EXPECT_EQ(Count<Kill>(), 0);
  EXPECT_LE(agent_.NextWake({unix_ms_, steady_ms_}), 1);
  After(1);
  ASSERT_EQ(Count<Kill>(), 1);
  After(500);
  EXPECT_EQ(Count<Kill>(), 0) << "once";
  Do(TaskExited{kKey, -9, "", false, ""});
  TaskCollected collected;
  collected.key = kKey;
  Do(collected);
  ASSERT_EQ(Count<SendReport>(), 1);
  const Report report = All<SendReport>()[0].report;
  EXPECT_EQ(report.exit_code, -9);
  EXPECT_FALSE(report.infrastructure) << "its retries bear it";
  EXPECT_NE(report.error.find("hung: no step for 60 s"), std::string::npos) << report.error;
}

TEST_F(HangTest, ASpecsTimeCountsFromTheStart) {
  RunWith(60'000, false);
  After(60'000);
  EXPECT_EQ(Count<Kill>(), 1);
}

TEST_F(HangTest, SignsOfLifeBetweenStepsHoldItOff) {
  RunWith(0, true);
  Steps(10, 20'000);
  After(399'000);
  EXPECT_EQ(Count<Kill>(), 0);
  // It tests: no step, but it says that it goes on.
  Do(TaskProgressed{{kKey, step_, 5, 0}, unix_ms_});
  After(399'999);
  EXPECT_EQ(Count<Kill>(), 0);
  After(1);
  ASSERT_EQ(Count<Kill>(), 1) << "twenty times its median step";
}

TEST_F(HangTest, AScriptIsLeftAloneUnlessItsSpecSaysOtherwise) {
  RunWith(0, false);
  Steps(10, 100);
  After(100'000'000);
  EXPECT_EQ(Count<Kill>(), 0);
}

TEST_F(HangTest, WhileTheSchedulerIsAwayAGangMayWait) {
  RunWith(60'000, true);
  Steps(3, 1'000);
  Do(LinkLost{});
  After(120'000);
  EXPECT_EQ(Count<Kill>(), 0);
  Do(LinkUp{});
  Do(Welcomed{term_, 1000});
  After(59'000);
  EXPECT_EQ(Count<Kill>(), 0);
  After(1'000);
  EXPECT_EQ(Count<Kill>(), 1);
}

TEST_F(HangTest, OneThatIsBeingStoppedHasItsOwnDeadline) {
  RunWith(60'000, false);
  Steps(3, 1'000);
  Wanted stop = Want(Goal::kStop);
  stop.stop_deadline_ms = unix_ms_ + 300'000;
  Wanting({stop});
  After(120'000);
  EXPECT_EQ(Count<Kill>(), 0);
}

}  // namespace
}  // namespace baton::worker
