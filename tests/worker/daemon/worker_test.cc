// What a worker does for its tasks, from the first word to the last.
#include <fcntl.h>
#include <time.h>

#include <cerrno>
#include <fstream>
#include <iostream>

#include "common/artifact/transfer.h"
#include "tests/worker/daemon/worker_fixture.h"

namespace baton::worker {
namespace {

TEST_F(WorkerTest, RunsACommandAndBringsBackAllThatItLeaves) {
  StartWorker({"--labels", "disk=ssd"});
  scheduler_->Want(
      {Task("job1",
            "echo hello; echo from stderr >&2; pwd; echo '{\"step\":4}' >> $BATON_METRICS_FILE; "
            "mkdir $BATON_CHECKPOINT_DIR/c.tmp; echo '{\"step\":4}' > $BATON_CHECKPOINT_DIR/c.tmp/"
            "checkpoint.json; mv $BATON_CHECKPOINT_DIR/c.tmp $BATON_CHECKPOINT_DIR/c; "
            "echo result > $BATON_OUTPUT_DIR/out.txt; exit 3")});
  const v1::TaskReport exited = AwaitReport("job1", v1::TaskReport::EXITED);
  EXPECT_EQ(exited.exit_code(), 3);
  EXPECT_EQ(exited.last_step(), 4);
  EXPECT_EQ(exited.first_step(), 1);
  EXPECT_GT(exited.first_step_unix_ms(), 0);
  // Outputs are there when the end is told.
  ASSERT_NE(exited.output_digest(), "");
  ASSERT_TRUE(
      artifact::Download(scheduler_->artifacts(), exited.output_digest(), folder_ + "/got").ok());
  std::ifstream out(folder_ + "/got/out.txt");
  std::string word;
  out >> word;
  EXPECT_EQ(word, "result");
  ASSERT_TRUE(Poll([&] {
    return static_cast<int64_t>(scheduler_->Stream("job1", 0, false).size()) ==
               exited.ends().log_bytes() &&
           static_cast<int64_t>(scheduler_->Stream("job1", 0, true).size()) ==
               exited.ends().metrics_bytes();
  }));
  EXPECT_EQ(scheduler_->Stream("job1", 0, false).substr(0, 18), "hello\nfrom stderr\n");
  EXPECT_EQ(scheduler_->Stream("job1", 0, true), "{\"step\":4}\n");
  EXPECT_TRUE(scheduler_->Await([&](const Messages& messages) {
    bool checkpoint_first = false;
    for (const v1::WorkerMessage& message : messages) {
      if (message.has_hello()) {
        EXPECT_EQ(message.hello().labels(0).key(), "disk");
        EXPECT_TRUE(message.hello().spot());
      }
      if (message.has_checkpoint()) {
        EXPECT_EQ(message.checkpoint().name(), "c");
        EXPECT_EQ(message.checkpoint().step(), 4);
        checkpoint_first = true;
      }
      if (message.has_task() && message.task().stage() == v1::TaskReport::EXITED) {
        return checkpoint_first;
      }
    }
    return false;
  }));
  // Told and acknowledged: nothing of it stays.
  scheduler_->Want({});
  EXPECT_TRUE(Poll([&] { return fs::is_empty(folder_ + "/w/tasks"); }));
  EXPECT_TRUE(Poll([&] { return fs::is_empty(folder_ + "/w/spool"); }));
}

TEST_F(WorkerTest, AMissingProgramFailsInWords) {
  StartWorker();
  v1::WantedTask task = Task("job1", "");
  task.mutable_spec()->clear_command();
  task.mutable_spec()->add_command("no-such-program");
  scheduler_->Want({task});
  const v1::TaskReport failed = AwaitReport("job1", v1::TaskReport::FAILED);
  EXPECT_NE(failed.error().find("'no-such-program' was not found"), std::string::npos)
      << failed.error();
  EXPECT_FALSE(failed.infrastructure());
}

TEST_F(WorkerTest, ADamagedCheckpointIsNamedBeforeAnythingStarts) {
  StartWorker();
  v1::WantedTask task = Task("job1", "echo must not run");
  task.mutable_resume()->set_name("step-9");
  task.mutable_resume()->set_step(9);
  task.mutable_resume()->set_manifest_digest(std::string(64, 'a'));
  scheduler_->Want({task});
  const v1::TaskReport failed = AwaitReport("job1", v1::TaskReport::FAILED);
  EXPECT_EQ(failed.bad_checkpoint(), "step-9");
  EXPECT_TRUE(failed.infrastructure());
}

TEST_F(WorkerTest, ResumesFromAVerifiedCopyAndRunsThePackage) {
  fs::create_directories(folder_ + "/package/sub");
  std::ofstream(folder_ + "/package/sub/run.sh")
      << "echo in $(basename $PWD); cat $BATON_RESUME_DIR/weights; echo x > sub/mine";
  fs::create_directories(folder_ + "/checkpoint");
  std::ofstream(folder_ + "/checkpoint/weights") << "the weights\n";
  const auto package = artifact::UploadFolder(folder_ + "/package", scheduler_->artifacts());
  const auto checkpoint = artifact::UploadFolder(folder_ + "/checkpoint", scheduler_->artifacts());
  ASSERT_TRUE(package.ok() && checkpoint.ok());
  StartWorker();
  v1::WantedTask task = Task("job1", "sh sub/run.sh");
  task.mutable_spec()->set_package_digest(package->manifest);
  task.mutable_resume()->set_name("step-9");
  task.mutable_resume()->set_step(9);
  task.mutable_resume()->set_manifest_digest(checkpoint->manifest);
  scheduler_->Want({task});
  EXPECT_EQ(AwaitReport("job1", v1::TaskReport::EXITED).exit_code(), 0);
  EXPECT_TRUE(AwaitLog("job1", "in work\nthe weights\n"));
}

TEST_F(WorkerTest, PreparesFirstAndStartsWhenToldTo) {
  StartWorker();
  scheduler_->Want({Task("job1", "echo ran", v1::WantedTask::PREPARE)});
  const v1::TaskReport prepared = AwaitReport("job1", v1::TaskReport::PREPARED);
  EXPECT_EQ(prepared.address(), "127.0.0.1");
  EXPECT_GT(prepared.port(), 1023);
  v1::WantedTask task = Task("job1", "", v1::WantedTask::RUN);
  task.clear_spec();  // told before
  scheduler_->Want({task});
  EXPECT_EQ(AwaitReport("job1", v1::TaskReport::EXITED).exit_code(), 0);
  EXPECT_TRUE(AwaitLog("job1", "ran\n"));
}

TEST_F(WorkerTest, ATaskThatIsNotWantedAnyMoreIsKilled) {
  StartWorker();
  scheduler_->Want({Task("job1", "trap '' TERM; while :; do sleep 0.1; done")});
  const pid_t pid = AwaitReport("job1", v1::TaskReport::RUNNING).pid();
  ASSERT_GT(pid, 1);
  scheduler_->Want({});
  EXPECT_TRUE(Poll([&] { return kill(pid, 0) != 0; }));
}

TEST_F(WorkerTest, AStopIsADeadlineFileThenSigtermAndLastAKill) {
  StartWorker();
  const std::string polite =
      "trap 'cat $BATON_DEADLINE_FILE; echo; exit 75' TERM; echo up; while :; do sleep 0.05; done";
  const std::string deaf = "echo up; exec sleep 1000";
  scheduler_->Want({Task("polite", polite), Task("deaf", deaf)});
  ASSERT_TRUE(AwaitLog("polite", "up"));
  ASSERT_TRUE(AwaitLog("deaf", "up"));
  std::vector<v1::WantedTask> stops = {Task("polite", polite, v1::WantedTask::STOP),
                                       Task("deaf", deaf, v1::WantedTask::STOP)};
  const int64_t deadline_ms = int64_t{time(nullptr)} * 1000 + 3000;
  for (v1::WantedTask& stop : stops) {
    stop.set_stop_reason("cancelled by ann");
    stop.set_stop_deadline_unix_ms(deadline_ms);
  }
  scheduler_->Want(stops);
  EXPECT_EQ(AwaitReport("polite", v1::TaskReport::EXITED).exit_code(), 75);
  EXPECT_TRUE(AwaitLog("polite", "\"reason\":\"cancelled by ann\""));
  const v1::TaskReport killed = AwaitReport("deaf", v1::TaskReport::EXITED);
  EXPECT_EQ(killed.exit_code(), -SIGKILL);
  // It trained on until just before the deadline.
  EXPECT_GT(killed.unix_ms(), deadline_ms - 1100);
  EXPECT_LE(killed.unix_ms(), deadline_ms + 500);
}

TEST_F(WorkerTest, ABrokenStreamChangesNothingForTheTask) {
  StartWorker();
  scheduler_->Want({Task("job1",
                         "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); sleep 0.01; "
                         "done; exit 0")});
  ASSERT_TRUE(AwaitLog("job1", "line 10\n"));
  scheduler_->Drop();
  ASSERT_TRUE(AwaitLog("job1", "line 60\n"));
  scheduler_->SetAway(true);
  usleep(300'000);
  scheduler_->SetAway(false);
  EXPECT_EQ(AwaitReport("job1", v1::TaskReport::EXITED).exit_code(), 0);
  std::string expected;
  for (int i = 0; i < 300; ++i) expected += "line " + std::to_string(i) + "\n";
  EXPECT_TRUE(Poll([&] { return scheduler_->Stream("job1", 0, false) == expected; }))
      << scheduler_->Stream("job1", 0, false);
  EXPECT_TRUE(scheduler_->Await(
      [](const Messages& m) { return Count(m, v1::WorkerMessage::kHello) >= 3; }));
}

TEST_F(WorkerTest, WhatADeadWorkerHadSpooledTheNextOneSends) {
  StartWorker();
  scheduler_->SetAcks(false);
  scheduler_->Want({Task("job1", "echo last words; exec sleep 1000")});
  const pid_t pid = AwaitReport("job1", v1::TaskReport::RUNNING).pid();
  ASSERT_TRUE(
      scheduler_->Await([](const Messages& m) { return Count(m, v1::WorkerMessage::kChunk) > 0; }));
  EXPECT_EQ(scheduler_->Stream("job1", 0, false), "");
  kill(worker_, SIGKILL);
  EXPECT_EQ(AwaitWorkerExit(), -SIGKILL);
  EXPECT_TRUE(Poll([&] { return kill(pid, 0) != 0; })) << "the task must die with its worker";
  scheduler_->Want({});
  scheduler_->SetAcks(true);
  StartWorker();
  EXPECT_TRUE(AwaitLog("job1", "last words\n"));
}

TEST_F(WorkerTest, ThreeHundredNoOpsAtOnceAllEndAndAreForgotten) {
  StartWorker();
  constexpr size_t kTasks = 300;
  std::vector<v1::WantedTask> tasks;
  for (size_t i = 0; i < kTasks; ++i) {
    tasks.push_back(Task("job" + std::to_string(i), ""));
    tasks.back().mutable_spec()->clear_command();
    tasks.back().mutable_spec()->add_command("/bin/true");
  }
  ASSERT_TRUE(
      scheduler_->Await([](const Messages& m) { return Count(m, v1::WorkerMessage::kHello) > 0; }));
  const auto start = std::chrono::steady_clock::now();
  scheduler_->Want(tasks);
  EXPECT_TRUE(scheduler_->Await([](const Messages& messages) {
    size_t ended = 0;
    for (const v1::WorkerMessage& m : messages) {
      ended +=
          m.has_task() && m.task().stage() == v1::TaskReport::EXITED && m.task().exit_code() == 0;
    }
    return ended == kTasks;
  }));
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  std::cout << kTasks / taken.count() << " no-op tasks/s\n";
  scheduler_->Want({});
  EXPECT_TRUE(Poll([&] { return fs::is_empty(folder_ + "/w/tasks"); }));
}

TEST_F(WorkerTest, SigtermDrainsAndEndsInOrder) {
  StartWorker({"--notice-grace", "10"});
  scheduler_->Want({Task("job1",
                         "trap 'cd $BATON_CHECKPOINT_DIR; mkdir last.tmp; echo w > last.tmp/w; "
                         "mv last.tmp last; exit 75' TERM; echo up; "
                         "while :; do sleep 0.05; done")});
  ASSERT_TRUE(AwaitLog("job1", "up"));
  kill(worker_, SIGTERM);
  EXPECT_EQ(AwaitReport("job1", v1::TaskReport::EXITED).exit_code(), 75);
  EXPECT_EQ(AwaitWorkerExit(), 0);
  EXPECT_TRUE(scheduler_->Await([](const Messages& messages) {
    bool notice = false;
    bool checkpoint = false;
    for (const v1::WorkerMessage& m : messages) {
      notice |= m.has_notice() && m.notice().source() == "signal";
      checkpoint |= m.has_checkpoint() && m.checkpoint().name() == "last";
      if (m.has_goodbye()) return notice && checkpoint;
    }
    return false;
  }));
}

TEST_F(WorkerTest, ANoticeFileAnnouncesAndWithdraws) {
  StartWorker({"--notice-file", folder_ + "/notice.json"});
  scheduler_->Want({Task("job1",
                         "echo up; while [ ! -e $BATON_DEADLINE_FILE ]; do sleep 0.02; "
                         "done; echo seen; while [ -e $BATON_DEADLINE_FILE ]; do sleep "
                         "0.02; done; echo gone")});
  ASSERT_TRUE(AwaitLog("job1", "up"));
  std::ofstream(folder_ + "/notice.json") << R"({"seconds": 60, "reason": "drill"})";
  ASSERT_TRUE(AwaitLog("job1", "seen"));
  fs::remove(folder_ + "/notice.json");
  EXPECT_TRUE(AwaitLog("job1", "gone"));
  EXPECT_EQ(AwaitReport("job1", v1::TaskReport::EXITED).exit_code(), 0);
}

TEST_F(WorkerTest, ASecondWorkerOnTheFolderIsRefused) {
  StartWorker();
  ASSERT_TRUE(
      scheduler_->Await([](const Messages& m) { return Count(m, v1::WorkerMessage::kHello) > 0; }));
  const pid_t first = worker_;
  StartWorker();
  EXPECT_EQ(AwaitWorkerExit(), 6);
  worker_ = first;
}

TEST_F(WorkerTest, AddressesOffLoopbackAreRefused) {
  StartWorkerAt("192.0.2.1:7411");
  EXPECT_EQ(AwaitWorkerExit(), 2);
  StartWorkerAt("localhost");
  EXPECT_EQ(AwaitWorkerExit(), 2);
}

}  // namespace
}  // namespace baton::worker
