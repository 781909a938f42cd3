#include "scheduler/edge/outbox.h"

#include <gtest/gtest.h>

#include <thread>

namespace baton::edge {
namespace {

state::WantedTask Wanted(const std::string& job, state::Token token, int32_t rank = 0) {
  v1::JobSpec wire;
  wire.set_project("p");
  auto spec = std::make_shared<state::JobSpec>();
  spec->wire = wire.SerializeAsString();
  state::WantedTask task;
  task.task = {.job = job, .attempt = 1, .rank = rank, .token = token};
  task.spec = spec;
  return task;
}

class OutboxTest : public testing::Test {
 protected:
  Outbox Make(Outbox::Limits limits = {}) {
    return Outbox(9, sequence_, limits, [this] { ++ready_; });
  }
  std::atomic<uint64_t> sequence_{0};
  std::atomic<int> ready_{0};
};

TEST_F(OutboxTest, TheWelcomeComesFirstAndNothingBeforeIt) {
  Outbox outbox = Make();
  outbox.SetWanted({});
  outbox.Push({});
  EXPECT_FALSE(outbox.Take().has_value());
  EXPECT_EQ(ready_, 0);
  outbox.Welcome({});
  EXPECT_EQ(ready_, 1);
  EXPECT_TRUE(outbox.Take()->has_welcome());
  EXPECT_EQ(outbox.Take()->message_case(), v1::SchedulerMessage::MESSAGE_NOT_SET);
  EXPECT_TRUE(outbox.Take()->has_wanted());
  EXPECT_FALSE(outbox.Take().has_value());
}

TEST_F(OutboxTest, EachTaskComesWithItsSpecOnceAlsoOneThatJoinsOthersLater) {
  Outbox outbox = Make();
  outbox.Welcome({});
  (void)outbox.Take();
  outbox.SetWanted({Wanted("a", 1, 0)});
  EXPECT_TRUE(outbox.Take()->wanted().tasks(0).has_spec());
  outbox.SetWanted({Wanted("a", 1, 0), Wanted("a", 1, 2)});
  const auto grown = outbox.Take();
  EXPECT_FALSE(grown->wanted().tasks(0).has_spec());
  EXPECT_TRUE(grown->wanted().tasks(1).has_spec());
}

TEST_F(OutboxTest, AGangStandsAsTheNewestWantedSetSays) {
  Outbox outbox = Make();
  state::WantedTask task = Wanted("a", 1);
  task.generation = 4;
  task.world_size = 3;
  outbox.SetWanted({task});
  EXPECT_EQ(outbox.StandingOf("a", 1), (Standing{4, 3}));
  EXPECT_FALSE(outbox.StandingOf("a", 2).has_value());
  task.generation = 5;
  task.world_size = 2;
  outbox.SetWanted({task});
  EXPECT_EQ(outbox.StandingOf("a", 1), (Standing{5, 2}));
  outbox.SetWanted({});
  EXPECT_FALSE(outbox.StandingOf("a", 1).has_value());
}

TEST_F(OutboxTest, OnlyTheNewestWantedSetGoesAndItsNumberRises) {
  Outbox outbox = Make();
  outbox.Welcome({});
  (void)outbox.Take();
  outbox.SetWanted({Wanted("a", 1)});
  outbox.SetWanted({Wanted("a", 1), Wanted("b", 2)});
  auto first = outbox.Take();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->wanted().tasks_size(), 2);
  EXPECT_EQ(first->wanted().term(), 9u);
  EXPECT_FALSE(outbox.Take().has_value());
  EXPECT_TRUE(outbox.Wants("b", 2));
  EXPECT_FALSE(outbox.Wants("b", 3));
  outbox.SetWanted({Wanted("a", 1)});
  auto second = outbox.Take();
  EXPECT_GT(second->wanted().sequence(), first->wanted().sequence());
  // Another session of the term goes on counting.
  Outbox other = Make();
  other.Welcome({});
  other.SetWanted({});
  (void)other.Take();
  EXPECT_GT(other.Take()->wanted().sequence(), second->wanted().sequence());
}

TEST_F(OutboxTest, TheSpecGoesOnlyTheFirstTime) {
  Outbox outbox = Make();
  outbox.Welcome({});
  (void)outbox.Take();
  outbox.SetWanted({Wanted("a", 1, 0), Wanted("a", 1, 1)});
  auto first = outbox.Take();
  EXPECT_TRUE(first->wanted().tasks(0).has_spec());
  EXPECT_TRUE(first->wanted().tasks(1).has_spec());
  outbox.SetWanted({Wanted("a", 1, 0), Wanted("a", 2, 0)});
  auto second = outbox.Take();
  EXPECT_FALSE(second->wanted().tasks(0).has_spec());
  EXPECT_TRUE(second->wanted().tasks(1).has_spec());
}

TEST_F(OutboxTest, AcknowledgementsOfOneStreamAreMerged) {
  Outbox outbox = Make();
  outbox.Welcome({});
  (void)outbox.Take();
  v1::TaskId task;
  task.set_job_id("a");
  for (int64_t offset = 1; offset <= 1'000; ++offset) outbox.AckStream(task, false, offset);
  outbox.AckStream(task, true, 5);
  EXPECT_EQ(outbox.Take()->stream_ack().offset(), 1'000);
  EXPECT_EQ(outbox.Take()->stream_ack().offset(), 5);
  EXPECT_FALSE(outbox.Take().has_value());
}

TEST_F(OutboxTest, AWorkerThatDoesNotReadIsCutOff) {
  Outbox outbox = Make({.messages_max = 3, .bytes_max = 1'000});
  outbox.Welcome({});
  for (int i = 0; i < 4; ++i) outbox.Push({});
  EXPECT_FALSE(outbox.Take().has_value());
  ASSERT_TRUE(outbox.end().has_value());
  EXPECT_EQ(outbox.end()->code(), absl::StatusCode::kAborted);
}

TEST_F(OutboxTest, LastWordsAreTakenBeforeTheEnd) {
  Outbox outbox = Make();
  outbox.Push({});
  outbox.Refuse("too old");
  EXPECT_EQ(ready_, 1);
  EXPECT_FALSE(outbox.end().has_value());
  EXPECT_EQ(outbox.Take()->refused().reason(), "too old");
  EXPECT_TRUE(outbox.end()->ok());
  outbox.Push({});
  EXPECT_FALSE(outbox.Take().has_value());
}

// A writer that takes when told misses nothing, whatever the threads do.
TEST_F(OutboxTest, NothingIsForgottenBetweenThreads) {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  std::mutex mutex;
  std::condition_variable changed;
  bool ready = false;
  Outbox outbox(1, sequence_, {}, [&] {
    std::lock_guard<std::mutex> lock(mutex);
    ready = true;
    changed.notify_one();
  });
  outbox.Welcome({});
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        v1::SchedulerMessage message;
        message.mutable_report_ack();
        outbox.Push(std::move(message));
      }
    });
  }
  int taken = 0;
  while (taken < kThreads * kEach) {
    {
      std::unique_lock<std::mutex> lock(mutex);
      changed.wait(lock, [&] { return ready; });
      ready = false;
    }
    while (auto message = outbox.Take()) taken += message->has_report_ack() ? 1 : 0;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, kThreads * kEach);
}

}  // namespace
}  // namespace baton::edge
