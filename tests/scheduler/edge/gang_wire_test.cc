// A gang that has changed while it ran, as clients, workers and its own members see it.
#include <gtest/gtest.h>

#include "scheduler/edge/reactions.h"
#include "scheduler/edge/to_wire.h"

namespace baton::edge {
namespace {

constexpr state::Token kToken = 5;

// A job in its second generation: the members are tasks 0 and 2, task 1 was lost on node "gone".
state::State SecondGeneration() {
  state::State state;
  for (const char* id : {"a", "b", "gone"}) {
    state::Node& node = state.nodes[id];
    node.offer.id = id;
    node.offer.name = std::string("node-") + id;
    node.offer.cpus_milli = 4'000;
    node.offer.memory_bytes = 1 << 30;
    node.up = std::string(id) != "gone";
  }
  state::Job& job = state.jobs["j"];
  job.id = "j";
  job.name = "digits";
  auto spec = std::make_shared<state::JobSpec>();
  spec->ranks_max = 3;
  spec->shards = 4;
  job.spec = spec;
  job.state = state::JobState::kRunning;
  job.history = std::make_unique<state::JobHistory>();
  state::Attempt& attempt = job.history->attempts.emplace_back();
  attempt.number = 1;
  attempt.token = kToken;
  attempt.generation = 2;
  attempt.world_size = 2;
  attempt.members = {0, 2};
  for (const char* node : {"a", "gone", "b"}) {
    state::Task& task = attempt.tasks.emplace_back();
    task.rank = static_cast<int32_t>(attempt.tasks.size()) - 1;
    task.node = node;
    task.phase = state::TaskPhase::kRunning;
  }
  attempt.tasks[1].phase = state::TaskPhase::kLost;
  job.history->losses.push_back({.attempt = 1,
                                 .generation = 1,
                                 .task = 1,
                                 .node = "gone",
                                 .detector = "peers",
                                 .at_ms = 1'000,
                                 .delay_ms = 30,
                                 .steps_lost = 1,
                                 .recovery_ms = 46});
  job.history->notices.push_back(
      {.node = "a", .source = "aws", .kind = "preempt", .deadline_ms = 122'000, .seen_ms = 2'000});
  return state;
}

TEST(GangWire, AJobShowsWhatItHasSurvived) {
  const core::Core core(SecondGeneration());
  const JobIndex index(core.state());
  const Progress progress;
  const v1::Job job = JobToWire({.core = core, .index = index, .now_ms = 3'000}, progress,
                                core.state().jobs.at("j"));
  EXPECT_EQ(job.generation(), 2u);
  ASSERT_EQ(job.losses_size(), 1);
  const v1::Loss& loss = job.losses(0);
  EXPECT_EQ(loss.attempt(), 1);
  EXPECT_EQ(loss.generation(), 1u);
  EXPECT_EQ(loss.rank(), 1);
  EXPECT_EQ(loss.node(), "node-gone");
  EXPECT_EQ(loss.detector(), "peers");
  EXPECT_EQ(loss.at_unix_ms(), 1'000);
  EXPECT_EQ(loss.delay_ms(), 30);
  EXPECT_EQ(loss.steps_lost(), 1);
  EXPECT_EQ(loss.recovery_ms(), 46);
  ASSERT_EQ(job.notices_size(), 1);
  EXPECT_EQ(job.notices(0).source(), "aws");
  EXPECT_EQ(job.notices(0).kind(), "preempt");
  EXPECT_EQ(job.notices(0).deadline_unix_ms(), 122'000);
  EXPECT_EQ(job.notices(0).seen_unix_ms(), 2'000);
  EXPECT_EQ(job.notices(0).node(), "node-a");
  const v1::Job in_list =
      JobToListWire({.core = core, .index = index}, progress, core.state().jobs.at("j"));
  EXPECT_EQ(in_list.losses_size(), 0) << "a list is short";
}

TEST(GangWire, APeerHasItsRankAndTheNumberOfItsTask) {
  state::WantedTask task;
  task.task = {.job = "j", .attempt = 1, .rank = 2, .token = kToken};
  task.spec = std::make_shared<state::JobSpec>();
  task.generation = 2;
  task.world_size = 2;
  task.peers = {{.rank = 0, .task = 0, .node = "a", .address = "10.0.0.1"},
                {.rank = 1, .task = 2, .node = "b", .address = "10.0.0.3"}};
  const v1::WantedTask wire = WantedToWire(task);
  EXPECT_EQ(wire.generation(), 2u);
  ASSERT_EQ(wire.peers_size(), 2);
  EXPECT_EQ(wire.peers(1).rank(), 1);
  EXPECT_EQ(wire.peers(1).task(), 2);
  EXPECT_EQ(wire.peers(1).address(), "10.0.0.3");
}

// What is sent to node "a" while the core tells of the job.
class ReactionsTest : public testing::Test {
 protected:
  // Task 0 waits for a key that nobody sets, in this generation.
  void Wait(uint64_t generation) {
    sessions_.Hello("a", "i", outbox_, 0, 0);
    state::WantedTask wanted;
    wanted.task = {.job = "j", .attempt = 1, .rank = 0, .token = kToken};
    wanted.spec = std::make_shared<state::JobSpec>();
    wanted.generation = generation;
    wanted.world_size = 2;
    sessions_.Activate("a", outbox_, {}, {wanted});
    v1::RendezvousRequest request;
    *request.mutable_task() = ToWire(wanted.task);
    request.set_id(7);
    request.set_op(v1::RendezvousRequest::WAIT);
    request.set_generation(generation);
    request.set_key("k");
    EXPECT_FALSE(relay_.Handle("a", request, {generation, 2}));
  }
  // What the wait is answered after the event; empty: nothing.
  std::optional<v1::RendezvousAnswer> AnswerAfter(state::State state) {
    const core::Core core(std::move(state));
    const JobIndex index(core.state());
    state::Outputs outputs;
    outputs.dirty_jobs = {"j"};
    const Release release =
        reactions_.OnApplied({.core = core, .index = index, .outputs = &outputs});
    if (release) release();
    while (const auto message = outbox_->Take()) {
      if (message->has_rendezvous()) return message->rendezvous();
    }
    return std::nullopt;
  }

  Progress progress_;
  ProbeReports probes_{ProbeReports::Limits{}};
  Sessions sessions_{{}, progress_};
  RendezvousRelay relay_{sessions_, {}};
  WatchHub watches_{{}};
  SweepRunner sweeps_;
  Reactions reactions_{{sessions_, relay_, watches_, progress_, probes_, sweeps_}};
  std::atomic<uint64_t> sequence_{0};
  std::shared_ptr<Outbox> outbox_ = std::make_shared<Outbox>(1, sequence_, Outbox::Limits{}, [] {});
};

TEST_F(ReactionsTest, ANewerGenerationMakesWaitsStale) {
  Wait(1);
  const auto answer = AnswerAfter(SecondGeneration());
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->stale_generation(), 2u);
}

TEST_F(ReactionsTest, WhoIsNoMemberAnyMoreIsNoLossOfTheGeneration) {
  Wait(2);
  EXPECT_FALSE(AnswerAfter(SecondGeneration()).has_value());
}

TEST_F(ReactionsTest, ALostMemberIsToldByItsRankThere) {
  Wait(2);
  state::State state = SecondGeneration();
  state::Task& task = state.jobs.at("j").history->attempts[0].tasks[2];
  task.phase = state::TaskPhase::kExited;
  task.exit_code = 1;
  task.end_ms = 1;
  const auto answer = AnswerAfter(std::move(state));
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->lost());
  EXPECT_EQ(answer->lost_rank(), 1);
}

}  // namespace
}  // namespace baton::edge
