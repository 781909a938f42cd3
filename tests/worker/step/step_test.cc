#include "worker/step/step.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "worker/step/programs.h"

namespace baton::worker {
namespace {

StepOrder Labelled(const std::string& script) {
  StepOrder order;
  order.argv = {"/bin/sh", "-c", script};
  order.label = true;
  order.plan.tasks = 1;
  order.plan.parts = {{0, 0, 1}};
  return order;
}

// Else it would be found readable, and be read for nothing, as long as the task lives.
TEST(LocalStep, AnOutputThatIsClosedIsNotWatchedAnyMore) {
  const int signals = OpenSignals({});
  LocalStep step(Labelled("exec >&- 2>&-; while :; do sleep 100; done"), 0, OwnVariables());
  step.Start(false);
  ASSERT_EQ(step.outputs().size(), 1u);
  ASSERT_EQ(WaitReadable(step.outputs(), 60'000).size(), 1u);
  step.OnOutput(step.outputs()[0]);
  EXPECT_TRUE(step.outputs().empty());
  EXPECT_FALSE(step.done()) << "it lives on";
  step.Signal(SIGKILL);
  while (!step.done()) {
    ASSERT_EQ(WaitReadable({signals}, 60'000).size(), 1u);
    while (NextSignal(signals) != 0) {
    }
    while (const std::optional<Ended> ended = NextEnd()) step.OnEnd(ended->pid, ended->status);
  }
  EXPECT_EQ(step.code(), 128 + SIGKILL);
}

// srun's code is of who failed first, and not what others make of the SIGTERM that follows.
TEST(LocalStep, WhoIsEndedByTheStepSaysNothing) {
  const int signals = OpenSignals({});
  LocalStep step(Labelled("trap 'exit 77' TERM; echo ready; while :; do sleep 0.1; done"), 0,
                 OwnVariables());
  step.Start(false);
  ASSERT_EQ(WaitReadable(step.outputs(), 60'000).size(), 1u);
  step.Kill();
  while (!step.done()) {
    ASSERT_EQ(WaitReadable({signals}, 60'000).size(), 1u);
    while (NextSignal(signals) != 0) {
    }
    while (const std::optional<Ended> ended = NextEnd()) step.OnEnd(ended->pid, ended->status);
  }
  EXPECT_EQ(step.code(), 0);
}

// srun needs what the script began with, in which the job's secrets are.
TEST(Batch, TheEnvironmentIsTheUsersAloneAndGoesWithTheScript) {
  const std::string folder = testing::TempDir() + "/steps." + std::to_string(getpid());
  ASSERT_EQ(setenv("BATON_STEPS_DIR", folder.c_str(), 1), 0);
  ASSERT_EQ(setenv("BATON_WORLD_SIZE", "1", 1), 0);
  const mode_t before = umask(0);
  EXPECT_EQ(RunBatch({"/bin/sh", "-c",
                      "test $(stat -c %a $BATON_STEPS_DIR/environment) = 600 && grep -q "
                      "BATON_STEPS_DIR= $BATON_STEPS_DIR/environment && exit 5"}),
            5);
  umask(before);
  EXPECT_NE(access((folder + "/environment").c_str(), F_OK), 0);
}

}  // namespace
}  // namespace baton::worker
