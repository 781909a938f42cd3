#include "worker/step/step.h"

#include <gtest/gtest.h>
#include <signal.h>

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

}  // namespace
}  // namespace baton::worker
