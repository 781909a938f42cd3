#include "scheduler/edge/sweep_runner.h"

#include <gtest/gtest.h>

#include <thread>

#include "scheduler/edge/metrics_view.h"
#include "scheduler/edge/sweep_wire.h"
#include "scheduler/edge/work_queue.h"
#include "tests/fakes/memory_journal.h"
#include "tests/scheduler/edge/fixture.h"

namespace baton::edge {
namespace {

// Hands the runner what the core asks.
class RunnerEdge : public Edge {
 public:
  Release OnApplied(const Seen& seen) override { return runner.Take(seen); }
  std::vector<state::Event> OnTick(int64_t, bool) override {
    runner.Tick();
    ++ticks;
    return {};
  }
  SweepRunner runner;
  std::atomic<int> ticks{0};
};

v1::SubmitSweepRequest Request() {
  v1::SubmitSweepRequest request;
  request.set_request_id("0123456789abcdef0123456789abcdef");
  v1::JobSpec* job = request.mutable_job();
  job->set_name("tuning");
  job->mutable_ranks()->set_min(1);
  job->mutable_ranks()->set_max(1);
  job->add_command("true");
  v1::SweepPlan* plan = request.mutable_plan();
  plan->set_metric("loss");
  plan->set_goal(v1::SweepPlan::MINIMIZE);
  plan->set_algorithm(v1::SweepPlan::RANDOM);
  plan->set_max_trials(2);
  plan->set_parallel_trials(2);
  v1::SweepParam* param = plan->add_params();
  param->set_name("lr");
  param->set_kind(v1::SweepParam::DOUBLE);
  param->set_min(0.1);
  param->set_max(0.9);
  return request;
}

size_t Jobs(DriverFixture& fixture) {
  size_t jobs = 0;
  Flag seen_it;
  EXPECT_TRUE(fixture.driver
                  ->Read(Driver::Source::kClient,
                         [&](const Seen& seen) -> Release {
                           jobs = seen.core.state().jobs.size();
                           return [&] { seen_it.Set(); };
                         })
                  .ok());
  seen_it.Await();
  return jobs;
}

TEST(SweepRunnerTest, MakesNoTrialsWhileTheDiskIsFull) {
  store::MemoryStore memory;
  store::MemoryJournal journal;
  MetricsView metrics{journal};
  StreamEnds ends;
  WorkQueue work{1, 100};
  RunnerEdge edge;
  DriverFixture fixture(memory, edge, {.tick_ms = 1});
  edge.runner.Attach({.driver = *fixture.driver,
                      .work = work,
                      .clock = fixture.clock,
                      .store = fixture.held,
                      .sources = {.journal = journal, .ends = ends, .metrics = metrics}});
  memory.SetFreeFraction(0.03);
  fixture.driver->Start();
  auto event = SweepFromWire(Request());
  ASSERT_TRUE(event.ok()) << event.status();
  ASSERT_TRUE(fixture.driver->Post(Driver::Source::kClient, *std::move(event), nullptr).ok());
  // Time passes by the test's own clock: each read is after a tick, and the one thread of the queue
  // has done by then what that tick has asked of it.
  for (int i = 0; i < 50; ++i) {
    fixture.clock.Advance(10);
    ASSERT_EQ(Jobs(fixture), 0u);
    Flag worked;
    ASSERT_TRUE(work.Run([&worked] { worked.Set(); }).ok());
    worked.Await();
  }
  memory.SetFreeFraction(0.5);
  size_t jobs = 0;
  for (int i = 0; i < 10'000 && jobs < 2; ++i) {
    fixture.clock.Advance(10);
    jobs = Jobs(fixture);
    std::this_thread::yield();
  }
  EXPECT_EQ(jobs, 2u);
  EXPECT_GT(edge.ticks, 0);
  state::SweepId sweep;
  const auto kept = [&] {
    size_t searches = 0;
    Flag seen_it;
    EXPECT_TRUE(fixture.driver
                    ->Read(Driver::Source::kClient,
                           [&](const Seen& seen) -> Release {
                             sweep = seen.core.state().sweeps.begin()->first;
                             searches = edge.runner.searches();
                             return [&] { seen_it.Set(); };
                           })
                    .ok());
    seen_it.Await();
    return searches;
  };
  EXPECT_EQ(kept(), 1u);
  ASSERT_TRUE(
      fixture.driver
          ->Post(Driver::Source::kClient, state::SweepStopped{.sweep = sweep, .by = "ada"}, nullptr)
          .ok());
  for (int i = 0; i < 10'000 && kept() > 0; ++i) fixture.clock.Advance(10);
  EXPECT_EQ(kept(), 0u) << "it has ended, and is forgotten";
  fixture.driver->Shutdown();
  work.Close();
}

}  // namespace
}  // namespace baton::edge
