#include "worker/core/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baton::worker {
namespace {

const TaskKey kKey{"job1", 1, 0, 7};

// Steps an agent through a scenario with a clock of its own.
class AgentTest : public testing::Test {
 protected:
  const std::vector<Effect>& Do(const Event& event) {
    return effects_ = agent_.Step(event, {unix_ms_, steady_ms_});
  }
  const std::vector<Effect>& After(int64_t ms, const Event& event = Tick{}) {
    unix_ms_ += ms;
    steady_ms_ += ms;
    return Do(event);
  }

  template <typename T>
  std::vector<T> All() const {
    std::vector<T> found;
    for (const Effect& effect : effects_) {
      if (const T* one = std::get_if<T>(&effect)) found.push_back(*one);
    }
    return found;
  }
  template <typename T>
  int Count() const {
    return static_cast<int>(All<T>().size());
  }

  static Wanted Want(Goal goal, const TaskKey& key = kKey) {
    Wanted wanted;
    wanted.key = key;
    wanted.goal = goal;
    auto spec = std::make_shared<TaskSpec>();
    spec->notice_grace_ms = 5000;
    wanted.spec = spec;
    return wanted;
  }
  void Wanting(std::vector<Wanted> tasks) { Do(WantedSet{term_, ++sequence_, std::move(tasks)}); }
  void Connect() {
    Do(LinkUp{});
    Do(Welcomed{term_, 1000});
  }
  void Run() {
    Connect();
    Wanting({Want(Goal::kRun)});
    Do(TaskPrepared{kKey, "127.0.0.1", 4000, 10, 20, {}});
    Do(TaskStarted{kKey, 99});
  }

  Agent agent_{AgentOptions{}};
  int64_t unix_ms_ = 1'000'000;
  int64_t steady_ms_ = 50'000;
  uint64_t term_ = 3;
  uint64_t sequence_ = 0;
  std::vector<Effect> effects_;
};

TEST_F(AgentTest, ATaskIsPreparedStartedToldAndForgotten) {
  Connect();
  Wanting({Want(Goal::kRun)});
  EXPECT_EQ(Count<Prepare>(), 1);
  Do(TaskPrepared{kKey, "127.0.0.1", 4000, 10, 20, {{"d", "sum", 5}}, "{}"});
  ASSERT_EQ(Count<SendReport>(), 1);
  EXPECT_EQ(All<SendReport>()[0].report.environment_json, "{}");
  EXPECT_EQ(All<SendReport>()[0].report.port, 4000);
  EXPECT_EQ(All<SendReport>()[0].report.data, (std::vector<Fetched>{{"d", "sum", 5}}));
  EXPECT_EQ(Count<Start>(), 1);
  Do(TaskStarted{kKey, 99});
  EXPECT_EQ(All<SendReport>()[0].report.stage, Stage::kRunning);
  Do(TaskProgressed{{kKey, 12, 1'000'100, 5}});
  EXPECT_EQ(All<SendReport>()[0].report.environment_json, "{}") << "told with all stages";
  EXPECT_EQ(All<SendReport>()[0].report.stage, Stage::kFirstStep);
  EXPECT_EQ(All<SendReport>()[0].report.first_step, 1);
  Do(TaskExited{kKey, 0, "", false, ""});
  ASSERT_EQ(Count<Collect>(), 1);
  EXPECT_EQ(Count<SendReport>(), 0);
  After(500, TaskCollected{kKey, "digest", 9, 100, 50, "", false, "", ""});
  ASSERT_EQ(Count<SendReport>(), 1);
  const Report end = All<SendReport>()[0].report;
  EXPECT_EQ(end.stage, Stage::kExited);
  EXPECT_EQ(end.at_ms, unix_ms_ - 500) << "when it ended, not when it was collected";
  EXPECT_EQ(end.last_step, 12);
  EXPECT_EQ(end.log_bytes, 100);
  EXPECT_EQ(Count<Forget>(), 0);
  Do(ReportAcked{kKey, Stage::kRunning});
  EXPECT_EQ(Count<Forget>(), 0) << "an older stage's acknowledgement is none of the end";
  Do(ReportAcked{kKey, Stage::kExited});
  EXPECT_EQ(Count<Forget>(), 1);
  Wanting({Want(Goal::kRun)});
  EXPECT_EQ(Count<Prepare>(), 0) << "what has ended is never started again";
}

TEST_F(AgentTest, PreparedWaitsForTheWordToRun) {
  Connect();
  Wanting({Want(Goal::kPrepare)});
  Do(TaskPrepared{kKey, "127.0.0.1", 4000, 10, 20, {}});
  EXPECT_EQ(Count<Start>(), 0);
  Wanted run = Want(Goal::kRun);
  run.spec = nullptr;
  Wanting({run});
  ASSERT_EQ(Count<Start>(), 1);
  EXPECT_NE(All<Start>()[0].task.spec, nullptr);
  Wanting({run});
  EXPECT_EQ(Count<Start>(), 0);
}

TEST_F(AgentTest, TheFirstStepOfAResumedTaskIsTheOneBehindItsCheckpoint) {
  Connect();
  Wanted wanted = Want(Goal::kRun);
  wanted.resume = {"step-100", 100, "d"};
  Wanting({wanted});
  Do(TaskPrepared{kKey, "a", 1, 0, 0, {}});
  Do(TaskStarted{kKey, 1});
  Do(TaskProgressed{{kKey, 104, 1, 0}});
  EXPECT_EQ(All<SendReport>()[0].report.first_step, 101);
}

TEST_F(AgentTest, AnOlderTermIsRefusedAndItsSetIgnored) {
  Run();
  Do(WantedSet{term_ - 1, 99, {}});
  EXPECT_EQ(Count<HangUp>(), 1);
  EXPECT_EQ(Count<Kill>(), 0);
  Do(Welcomed{term_ - 1, 1000});
  EXPECT_EQ(Count<HangUp>(), 1);
  Do(WantedSet{term_, sequence_ - 1, {}});
  EXPECT_EQ(Count<Kill>(), 0) << "an older set of the term";
  Do(WantedSet{term_ + 1, 1, {}});
  EXPECT_EQ(Count<Kill>(), 1) << "a new term counts anew";
}

TEST_F(AgentTest, WhatIsNotWantedIsKilledToldOnceAndForgotten) {
  Run();
  Do(CheckpointUploaded{{kKey, "c", 1, 1, "d", 1}});
  Wanting({});
  EXPECT_EQ(Count<Kill>(), 1);
  Wanting({});
  EXPECT_EQ(Count<Kill>(), 0) << "once";
  Do(TaskExited{kKey, -9, "", false, ""});
  ASSERT_EQ(Count<Collect>(), 1);
  EXPECT_FALSE(All<Collect>()[0].upload);
  Do(TaskCollected{kKey, "", 0, 0, 0, "", false, "", ""});
  EXPECT_EQ(Count<SendReport>(), 1);
  EXPECT_EQ(Count<Forget>(), 1);
}

TEST_F(AgentTest, ThePreparationOfAnUnwantedTaskIsGivenUp) {
  Connect();
  Wanting({Want(Goal::kRun)});
  Wanting({});
  EXPECT_EQ(Count<Kill>(), 1);
  Do(TaskPrepared{kKey, "a", 1, 0, 0, {}});
  EXPECT_EQ(Count<Start>(), 0) << "it was done before it could be given up";
  EXPECT_EQ(Count<Forget>(), 1);
}

TEST_F(AgentTest, ANewTokenIsAnotherTask) {
  Run();
  TaskKey next = kKey;
  next.attempt = 2;
  next.token = 8;
  Wanting({Want(Goal::kPrepare, next)});
  EXPECT_EQ(All<Kill>()[0].key, kKey);
  EXPECT_EQ(All<Prepare>()[0].task.key, next);
}

TEST_F(AgentTest, AStopIsAFileThenSigtermAndSigkillBeforeTheDeadline) {
  Run();
  Wanted stop = Want(Goal::kStop);
  stop.stop_deadline_ms = unix_ms_ + 4000;
  stop.stop_reason = "cancelled";
  Wanting({stop});
  ASSERT_EQ(Count<WriteDeadline>(), 1);
  EXPECT_EQ(All<WriteDeadline>()[0].deadline_ms, stop.stop_deadline_ms);
  EXPECT_EQ(Count<Terminate>(), 1);
  Wanting({stop});
  EXPECT_EQ(Count<WriteDeadline>(), 0);
  After(500);
  EXPECT_EQ(Count<Terminate>(), 1) << "again: a process may begin to catch it late";
  After(3099);
  EXPECT_EQ(Count<Kill>(), 0);
  After(1);
  EXPECT_EQ(Count<Kill>(), 1) << "a tenth of the time before the deadline";
  After(1000);
  EXPECT_EQ(Count<Kill>(), 0);
}

TEST_F(AgentTest, AStopWithoutATimeGetsTheJobsGraceOnce) {
  Run();
  Wanting({Want(Goal::kStop)});
  const int64_t deadline_ms = All<WriteDeadline>()[0].deadline_ms;
  EXPECT_EQ(deadline_ms, unix_ms_ + 5000);
  After(1000);
  Wanting({Want(Goal::kStop)});
  EXPECT_EQ(Count<WriteDeadline>(), 0);
}

TEST_F(AgentTest, StoppingWhatDoesNotRunEndsItAtOnce) {
  Connect();
  Wanting({Want(Goal::kStop)});
  EXPECT_EQ(All<SendReport>()[0].report.stage, Stage::kExited);
  EXPECT_EQ(All<SendReport>()[0].report.exit_code, -15);
  TaskKey other = kKey;
  other.rank = 1;
  Wanting({Want(Goal::kStop), Want(Goal::kPrepare, other)});
  Do(TaskPrepared{other, "a", 1, 0, 0, {}});
  Wanting({Want(Goal::kStop), Want(Goal::kStop, other)});
  EXPECT_EQ(All<SendReport>()[0].report.stage, Stage::kExited);
  EXPECT_EQ(Count<Start>(), 0);
}

TEST_F(AgentTest, TheEndWaitsForTheLastCheckpointsAcknowledgement) {
  Run();
  Do(CheckpointUploaded{{kKey, "c", 10, 1, "d", 1}});
  EXPECT_EQ(Count<SendCheckpoint>(), 1);
  Do(TaskExited{kKey, 75, "", false, ""});
  Do(TaskCollected{kKey, "", 0, 0, 0, "", false, "", ""});
  EXPECT_EQ(Count<SendReport>(), 0);
  Do(LinkLost{});
  Do(LinkUp{});
  ASSERT_EQ(Count<SendHello>(), 1);
  ASSERT_EQ(All<SendHello>()[0].tasks.size(), 1u);
  EXPECT_EQ(All<SendHello>()[0].tasks[0].stage, Stage::kRunning);
  Do(Welcomed{term_, 1000});
  EXPECT_EQ(Count<SendCheckpoint>(), 1) << "told again";
  Do(CheckpointAcked{kKey, "c", true, ""});
  EXPECT_EQ(Count<RemoveCheckpoint>(), 1);
  ASSERT_EQ(Count<SendReport>(), 1);
  EXPECT_EQ(All<SendReport>()[0].report.exit_code, 75);
}

TEST_F(AgentTest, AnUnacknowledgedEndIsInTheNextHello) {
  Run();
  Do(TaskExited{kKey, 1, "", false, ""});
  Do(LinkLost{});
  Do(TaskCollected{kKey, "", 0, 0, 0, "", false, "", ""});
  EXPECT_EQ(Count<SendReport>(), 0) << "nobody listens";
  Do(LinkUp{});
  EXPECT_EQ(All<SendHello>()[0].tasks[0].stage, Stage::kExited);
  Do(ReportAcked{kKey, Stage::kExited});
  EXPECT_EQ(Count<Forget>(), 1);
}

TEST_F(AgentTest, TasksGoOnWithoutASchedulerUntilItIsAwayTooLong) {
  Run();
  Do(LinkLost{});
  After(3'599'999);
  EXPECT_EQ(Count<WriteDeadline>(), 0);
  // Lines that open without a welcome are no scheduler.
  Do(LinkUp{});
  Do(LinkLost{});
  After(1);
  EXPECT_EQ(Count<WriteDeadline>(), 1);
  EXPECT_EQ(Count<Terminate>(), 1);
  Do(LinkUp{});
  Do(Welcomed{term_, 1000});
  EXPECT_EQ(Count<RemoveDeadline>(), 1) << "it came back in time";
}

TEST_F(AgentTest, ACertainNoticeStopsAtOnceAndAWithdrawalCallsItOff) {
  Run();
  Notice notice;
  notice.source = "file";
  notice.kind = "preempt";
  notice.deadline_ms = unix_ms_ + 30'000;
  Do(Noticed{notice});
  EXPECT_EQ(Count<SendNotice>(), 1);
  EXPECT_EQ(Count<WriteDeadline>(), 1);
  EXPECT_EQ(Count<AskForSave>(), 0) << "who is told to leave saves anyway";
  Do(Noticed{notice});
  EXPECT_EQ(Count<SendNotice>(), 0);
  notice.withdrawn = true;
  Do(Noticed{notice});
  EXPECT_EQ(Count<SendNotice>(), 1);
  EXPECT_EQ(Count<RemoveDeadline>(), 1);
}

TEST_F(AgentTest, AnUncertainNoticeIsToldAndAsksForASave) {
  Run();
  Notice notice;
  notice.source = "aws";
  notice.kind = "rebalance";
  notice.certain = false;
  notice.deadline_ms = unix_ms_ + 30'000;
  Do(Noticed{notice});
  EXPECT_EQ(Count<SendNotice>(), 1);
  EXPECT_EQ(Count<WriteDeadline>(), 0);
  EXPECT_EQ(All<AskForSave>().at(0).reason, "rebalance notice");
  Do(LinkLost{});
  Do(LinkUp{});
  EXPECT_TRUE(All<SendHello>()[0].has_notice);
}

TEST_F(AgentTest, UploadsAreCutWhenTheNodeGoes) {
  Run();
  Notice notice;
  notice.source = "file";
  notice.deadline_ms = unix_ms_ + 30'000;
  Do(Noticed{notice});
  Do(TaskExited{kKey, 75, "", false, ""});
  EXPECT_EQ(All<Collect>()[0].deadline_ms, notice.deadline_ms);
  notice.deadline_ms -= 10'000;
  Do(Noticed{notice});
  ASSERT_EQ(Count<Collect>(), 1);
  EXPECT_EQ(All<Collect>()[0].deadline_ms, notice.deadline_ms);
}

TEST_F(AgentTest, AShutdownDrainsAndFinishes) {
  Run();
  Do(ShutdownAsked{unix_ms_ + 25'000, "told to end"});
  EXPECT_EQ(Count<SendNotice>(), 1);
  EXPECT_EQ(Count<WriteDeadline>(), 1);
  EXPECT_EQ(Count<Finish>(), 0);
  Do(ShutdownAsked{unix_ms_ + 1000, "told twice"});
  EXPECT_EQ(All<WriteDeadline>()[0].deadline_ms, unix_ms_ + 1000);
  TaskKey next = kKey;
  next.rank = 1;
  Wanting({Want(Goal::kRun), Want(Goal::kRun, next)});
  EXPECT_EQ(All<SendReport>()[0].report.stage, Stage::kFailed) << "no new work";
  Do(ReportAcked{next, Stage::kFailed});
  Do(TaskExited{kKey, 75, "", false, ""});
  Do(TaskCollected{kKey, "", 0, 0, 0, "", false, "", ""});
  EXPECT_EQ(Count<Finish>(), 0);
  Do(ReportAcked{kKey, Stage::kExited});
  EXPECT_EQ(Count<Finish>(), 1);
}

TEST_F(AgentTest, AShutdownWithoutASchedulerEndsByItsDeadline) {
  Run();
  Do(LinkLost{});
  Do(ShutdownAsked{unix_ms_ + 2000, "told to end"});
  Do(TaskExited{kKey, 75, "", false, ""});
  Do(TaskCollected{kKey, "", 0, 0, 0, "", false, "", ""});
  After(1999);
  EXPECT_EQ(Count<Finish>(), 0);
  After(1);
  EXPECT_EQ(Count<Finish>(), 1);
}

TEST_F(AgentTest, HeartbeatsRenewTheLeaseAndTellOnlyNewSteps) {
  Run();
  After(1000);
  ASSERT_EQ(Count<SendHeartbeat>(), 1);
  EXPECT_TRUE(All<SendHeartbeat>()[0].progress.empty());
  Do(TaskProgressed{{kKey, 1, 1, 0}});
  EXPECT_EQ(Count<SendHeartbeat>(), 0) << "at most ten a second";
  EXPECT_LE(agent_.NextWake({unix_ms_, steady_ms_}), 100);
  After(100);
  ASSERT_EQ(Count<SendHeartbeat>(), 1);
  EXPECT_EQ(All<SendHeartbeat>()[0].progress[0].step, 1);
  After(100);
  EXPECT_EQ(Count<SendHeartbeat>(), 0);
}

TEST_F(AgentTest, ADeadKeeperIsTheNodesFault) {
  Run();
  Do(TaskExited{kKey, -9, "the keeper died", true, ""});
  Do(TaskCollected{kKey, "", 0, 0, 0, "", false, "", ""});
  EXPECT_TRUE(All<SendReport>()[0].report.infrastructure);
  EXPECT_EQ(All<SendReport>()[0].report.error, "the keeper died");
}

TEST_F(AgentTest, AComplaintIsToldAsTheStageThatTheTaskIsIn) {
  Run();
  Do(TaskComplained{kKey, "checkpoint a is not kept"});
  ASSERT_EQ(Count<SendReport>(), 1);
  EXPECT_EQ(All<SendReport>()[0].report.stage, Stage::kRunning);
  EXPECT_EQ(All<SendReport>()[0].report.error, "checkpoint a is not kept");
  int told = 1;
  for (int i = 0; i < 100; ++i) {
    Do(TaskComplained{kKey, "again"});
    told += Count<SendReport>();
  }
  EXPECT_EQ(told, 8) << "the log has them all";
  Do(TaskExited{kKey, 0, "", false, ""});
  Do(TaskCollected{kKey, "digest", 0, 0, 0, "", false, "", ""});
  EXPECT_EQ(All<SendReport>()[0].report.error, "") << "the end has words of its own";
}

TEST_F(AgentTest, OutputsAreWaitedForOnlyByASuccess) {
  Run();
  Do(TaskExited{kKey, 1, "", false, ""});
  EXPECT_FALSE(All<Collect>()[0].patient);
  Do(TaskCollected{kKey, "", 0, 0, 0, "the outputs were not uploaded", true, "ValueError: no", ""});
  EXPECT_EQ(All<SendReport>()[0].report.error, "ValueError: no") << "its last words say most";
  EXPECT_FALSE(All<SendReport>()[0].report.infrastructure);
}

TEST_F(AgentTest, ASuccessWithoutItsOutputsIsTheNodesFault) {
  Run();
  Do(TaskExited{kKey, 0, "", false, ""});
  EXPECT_TRUE(All<Collect>()[0].patient);
  Do(TaskCollected{kKey, "", 0, 0, 0, "the outputs were not uploaded in time", true, "bye", ""});
  EXPECT_TRUE(All<SendReport>()[0].report.infrastructure);
  EXPECT_EQ(All<SendReport>()[0].report.error, "the outputs were not uploaded in time");
}

TEST_F(AgentTest, WantOfMemoryIsACauseUnlessItWasKilledHere) {
  Run();
  Do(TaskExited{kKey, 1, "", false, ""});
  TaskCollected collected;
  collected.key = kKey;
  collected.last_words = "MemoryError";
  collected.out_of_memory = "it ran out of memory";
  Do(collected);
  EXPECT_EQ(All<SendReport>()[0].report.error, "it ran out of memory");
  EXPECT_EQ(All<SendReport>()[0].report.exit_cause, "out-of-memory");
}

TEST_F(AgentTest, AKillOfOursIsNoWantOfMemory) {
  Run();
  Wanting({});
  ASSERT_EQ(Count<Kill>(), 1);
  Wanting({Want(Goal::kRun)});
  Do(TaskExited{kKey, -9, "", false, ""});
  TaskCollected collected;
  collected.key = kKey;
  collected.out_of_memory = "the kernel killed it";
  Do(collected);
  EXPECT_EQ(All<SendReport>()[0].report.exit_cause, "");
}

TEST_F(AgentTest, OtherRanksOfAProgramStartALittleAfterRank0WhomTheyMeet) {
  Connect();
  TaskKey second = kKey;
  second.rank = 1;
  Wanted wanted = Want(Goal::kRun, second);
  wanted.world_size = 2;
  auto spec = std::make_shared<TaskSpec>(*wanted.spec);
  spec->command = {"python3", "train.py"};
  wanted.spec = spec;
  Wanting({wanted});
  Do(TaskPrepared{second, "127.0.0.1", 4000, 10, 20, {}});
  EXPECT_EQ(Count<Start>(), 0);
  EXPECT_EQ(agent_.NextWake({unix_ms_, steady_ms_}), 150);
  Wanting({wanted});  // said again: not later because of that
  After(149);
  EXPECT_EQ(Count<Start>(), 0);
  After(1);
  EXPECT_EQ(Count<Start>(), 1);
  After(1000);
  EXPECT_EQ(Count<Start>(), 0) << "once";
}

TEST_F(AgentTest, AStopForGoodReachesAlsoWhoDoesNotCatchIt) {
  Run();
  Wanted stop = Want(Goal::kStop);
  stop.stop_deadline_ms = unix_ms_ + 10'000;
  stop.stop_for_good = true;
  Wanting({stop});
  ASSERT_EQ(Count<Terminate>(), 1);
  EXPECT_TRUE(All<Terminate>()[0].all);
}

TEST_F(AgentTest, TheNoticeIsTheSignalOfTheSpecAndACancelIsNot) {
  int attempt = 0;
  for (const int signal : {10, 0}) {
    TaskKey key = kKey;
    key.attempt += ++attempt;
    Connect();
    Wanted wanted = Want(Goal::kRun, key);
    auto spec = std::make_shared<TaskSpec>(*wanted.spec);
    spec->notice_signal = signal;
    wanted.spec = spec;
    Wanting({wanted});
    Do(TaskPrepared{key, "127.0.0.1", 4000, 10, 20, {}});
    Do(TaskStarted{key, 99});
    Wanted stop = Want(Goal::kStop, key);
    stop.spec = nullptr;
    stop.stop_deadline_ms = unix_ms_ + 10'000;
    Wanting({stop});
    EXPECT_EQ(Count<WriteDeadline>(), 1);
    ASSERT_EQ(Count<Terminate>(), signal == 0 ? 0 : 1);
    if (signal != 0) {
      EXPECT_EQ(All<Terminate>()[0].signal, signal);
    }
    stop.stop_for_good = true;
    After(500);
    Wanting({stop});
    After(500);
    ASSERT_EQ(Count<Terminate>(), 1);
    EXPECT_EQ(All<Terminate>()[0].signal, 15);
  }
}

TEST_F(AgentTest, ACheckpointOfATaskThatIsOverIsDropped) {
  Connect();
  Do(CheckpointUploaded{{kKey, "c", 1, 1, "d", 1}});
  EXPECT_EQ(Count<RemoveCheckpoint>(), 1);
  EXPECT_EQ(Count<SendCheckpoint>(), 0);
}

}  // namespace
}  // namespace baton::worker
