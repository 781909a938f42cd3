// An srun that is killed, as the batch script's node and the others see it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>
#include <string>

#include "tests/worker/step/fake_meeting.h"
#include "worker/step/alive.h"
#include "worker/step/order.h"
#include "worker/step/programs.h"
#include "worker/step/step.h"

namespace baton::worker {
namespace {

class GoneTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/baton-gone-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { (void)!system(("rm -rf " + folder_).c_str()); }

  // A process that has started step `step`.
  pid_t StartSrun(int step) {
    int ready[2];
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    const pid_t pid = fork();
    if (pid == 0) {
      const AliveFile alive(folder_, step);
      (void)!write(ready[1], "x", 1);
      for (;;) pause();
    }
    char byte = 0;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
  }

  std::string folder_;
};

TEST_F(GoneTest, TheBatchNodeTellsOfSrunsThatWereKilled) {
  FakeMeeting meeting(folder_ + "/socket");
  SrunWatch watch(folder_);
  const pid_t srun = StartSrun(7);
  watch.Look();
  { const AliveFile ended(folder_, 8); }
  watch.Look();
  kill(srun, SIGKILL);
  waitpid(srun, nullptr, 0);
  watch.Look();
  EXPECT_TRUE(meeting.AwaitSaid("set slurm/gone/0=7"));
  const pid_t next = StartSrun(9);
  kill(next, SIGKILL);
  waitpid(next, nullptr, 0);
  watch.Look();
  watch.Look();
  EXPECT_TRUE(meeting.AwaitSaid("set slurm/gone/1=9")) << "each once, and none that has ended";
}

TEST_F(GoneTest, TheOtherNodesEndItsTasksAndForgetItsKeys) {
  FakeMeeting meeting(folder_ + "/socket");
  setenv("BATON_RANK", "1", 1);
  setenv("BATON_DEADLINE_FILE", (folder_ + "/deadline").c_str(), 1);
  const pid_t waiter = fork();
  if (waiter == 0) _exit(RunWaiter());
  const std::string began = folder_ + "/began";
  ASSERT_EQ(mkfifo(began.c_str(), 0600), 0);
  StepOrder order;
  order.argv = {"/bin/sh", "-c", "echo x > " + began + "; exec sleep 1000"};
  order.plan.tasks = 1;
  order.plan.parts = {{1, 0, 1}};
  meeting.Set("slurm/0/0", "1:" + EncodeOrder(order));
  std::string line;
  std::ifstream fifo(began);
  EXPECT_TRUE(std::getline(fifo, line)) << "its task runs";
  meeting.Set("slurm/gone/0", "0");
  EXPECT_TRUE(meeting.AwaitSaid("set slurm/0/code/1=0"));
  EXPECT_TRUE(meeting.AwaitSaid("done slurm/0/word/0")) << "no word of it comes any more";
  EXPECT_TRUE(meeting.AwaitSaid("wait slurm/gone/1"));
  meeting.Set("slurm/end", "0");
  int status = -1;
  waitpid(waiter, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace baton::worker
