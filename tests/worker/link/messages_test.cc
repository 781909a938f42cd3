#include "worker/link/messages.h"

#include <gtest/gtest.h>

namespace baton::worker {
namespace {

v1::WantedTasks OneTask() {
  v1::WantedTasks set;
  set.set_term(3);
  set.set_sequence(9);
  v1::WantedTask* task = set.add_tasks();
  task->mutable_task()->set_job_id("job1");
  task->mutable_task()->set_token(7);
  task->set_goal(v1::WantedTask::RUN);
  task->set_world_size(2);
  task->mutable_task()->set_rank(1);
  task->mutable_spec()->add_command("true");
  return set;
}

TEST(Messages, AWantedSetIsRead) {
  const auto set = FromProto(OneTask());
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(set->term, 3u);
  ASSERT_EQ(set->tasks.size(), 1u);
  EXPECT_EQ(set->tasks[0].key.rank, 1);
  EXPECT_EQ(set->tasks[0].spec->notice_grace_ms, 10'000) << "the default";
  EXPECT_EQ(set->tasks[0].local_world_size, 1);
}

TEST(Messages, ATaskThatJoinsHasAHigherNumberThanTheWorldHasRanks) {
  v1::WantedTasks set = OneTask();
  v1::WantedTask* task = set.mutable_tasks(0);
  task->mutable_task()->set_rank(7);
  task->set_generation(3);
  for (const int number : {0, 4}) {
    v1::Peer* peer = task->add_peers();
    peer->set_rank(task->peers_size() - 1);
    peer->set_task(number);
  }
  const auto read = FromProto(set);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->tasks[0].key.rank, 7);
  EXPECT_EQ(read->tasks[0].generation, 3u);
  ASSERT_EQ(read->tasks[0].peers.size(), 2u);
  EXPECT_EQ(read->tasks[0].peers[1].rank, 1);
  EXPECT_EQ(read->tasks[0].peers[1].task, 4);
}

TEST(Messages, TheFirstStepOfAGenerationIsTold) {
  Report report;
  report.stage = Stage::kFirstStep;
  report.generation = 3;
  report.generation_step = 70;
  report.generation_step_ms = 9'000;
  const v1::TaskReport wire = ToProto(report);
  EXPECT_EQ(wire.generation(), 3u);
  EXPECT_EQ(wire.generation_step(), 70);
  EXPECT_EQ(wire.generation_step_unix_ms(), 9'000);
}

TEST(Messages, CheckpointFilesAndTheNoticeComeAlong) {
  v1::WantedTasks set = OneTask();
  v1::JobSpec* spec = set.mutable_tasks(0)->mutable_spec();
  EXPECT_EQ(FromProto(set)->tasks[0].spec->notice_signal, 15);
  spec->mutable_checkpoint()->add_globs("out/*.pt");
  spec->set_notice_signal(v1::NOTICE_SIGNAL_USR1);
  const auto read = FromProto(set);
  EXPECT_EQ(read->tasks[0].spec->checkpoint_globs, std::vector<std::string>{"out/*.pt"});
  EXPECT_EQ(read->tasks[0].spec->notice_signal, 10);
  spec->set_notice_signal(v1::NOTICE_SIGNAL_NONE);
  EXPECT_EQ(FromProto(set)->tasks[0].spec->notice_signal, 0);
}

TEST(Messages, ARankHasTheAlternativeThatWasChosenForIt) {
  v1::WantedTasks set = OneTask();
  v1::WantedTask* task = set.mutable_tasks(0);
  EXPECT_EQ(FromProto(set)->tasks[0].cpus_milli, 1000) << "the default";
  task->mutable_spec()->set_launch(v1::LAUNCH_NODE);
  task->mutable_spec()->mutable_resources()->set_cpus_milli(4000);
  EXPECT_EQ(FromProto(set)->tasks[0].cpus_milli, 4000) << "of a spec without alternatives";
  task->mutable_resources()->set_cpus_milli(2000);
  task->mutable_resources()->set_disk_bytes(30);
  const auto read = FromProto(set);
  EXPECT_EQ(read->tasks[0].cpus_milli, 2000);
  EXPECT_EQ(read->tasks[0].disk_bytes, 30);
  EXPECT_TRUE(read->tasks[0].spec->holds_its_node);
}

TEST(Messages, ASetThatCantBeMeantIsRefused) {
  v1::WantedTasks set = OneTask();
  set.mutable_tasks(0)->mutable_task()->set_rank(-1);
  EXPECT_FALSE(FromProto(set).ok());
  set = OneTask();
  set.mutable_tasks(0)->add_peers()->set_rank(1);
  EXPECT_FALSE(FromProto(set).ok()) << "peers are in the order of their ranks";
  set = OneTask();
  set.mutable_tasks(0)->mutable_task()->set_job_id("../../etc");
  EXPECT_FALSE(FromProto(set).ok());
  set = OneTask();
  set.mutable_tasks(0)->set_goal(v1::WantedTask::GOAL_UNSPECIFIED);
  EXPECT_FALSE(FromProto(set).ok());
  set = OneTask();
  *set.add_tasks() = set.tasks(0);
  EXPECT_FALSE(FromProto(set).ok());
}

TEST(Messages, EveryStageHasItsNameOnTheWire) {
  for (const auto& [stage, wire] : {std::pair{Stage::kPrepared, v1::TaskReport::PREPARED},
                                    std::pair{Stage::kRunning, v1::TaskReport::RUNNING},
                                    std::pair{Stage::kFirstStep, v1::TaskReport::FIRST_STEP},
                                    std::pair{Stage::kExited, v1::TaskReport::EXITED},
                                    std::pair{Stage::kFailed, v1::TaskReport::FAILED}}) {
    Report report;
    report.stage = stage;
    report.log_bytes = 5;
    EXPECT_EQ(ToProto(report).stage(), wire);
    EXPECT_EQ(FromProto(wire), stage);
    EXPECT_EQ(ToProto(report).has_ends(), stage == Stage::kExited || stage == Stage::kFailed);
  }
}

}  // namespace
}  // namespace baton::worker
