#include "scheduler/edge/sessions.h"

#include <gtest/gtest.h>

namespace baton::edge {
namespace {

constexpr int64_t kLeaseMs = 10'000;
constexpr int64_t kGraceMs = 300;

class SessionsTest : public testing::Test {
 protected:
  std::shared_ptr<Outbox> NewOutbox() {
    return std::make_shared<Outbox>(1, sequence_, Outbox::Limits{}, [] {});
  }
  std::shared_ptr<Outbox> Connect(const std::string& node, const std::string& incarnation,
                                  int64_t at_ms) {
    auto outbox = NewOutbox();
    sessions_.Hello(node, incarnation, outbox, at_ms, at_ms);
    sessions_.Activate(node, outbox, {}, {});
    return outbox;
  }
  std::vector<state::NodeLost> Tick(int64_t at_ms, bool gap = false) {
    std::vector<state::NodeLost> lost;
    for (const state::Event& event : sessions_.Tick(at_ms, gap)) {
      lost.push_back(std::get<state::NodeLost>(event));
    }
    return lost;
  }

  std::atomic<uint64_t> sequence_{0};
  Progress progress_;
  Sessions sessions_{{.lease_ms = kLeaseMs, .reconnect_grace_ms = kGraceMs}, progress_};
};

TEST_F(SessionsTest, ASilentNodeIsLostAtTheEndOfItsLease) {
  auto outbox = Connect("n1", "i1", 0);
  EXPECT_TRUE(sessions_.Heard("n1", *outbox, 5'000, 77));
  EXPECT_TRUE(Tick(14'999).empty());
  const auto lost = Tick(15'000);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].node, "n1");
  EXPECT_EQ(lost[0].incarnation, "i1");
  EXPECT_EQ(lost[0].cause, "silent for 10 s");
  EXPECT_EQ(lost[0].last_heard_ms, 77);
  // What it says later is not listened to, and its stream is ended so that it says hello again.
  EXPECT_FALSE(sessions_.Heard("n1", *outbox, 15'001, 78));
  EXPECT_FALSE(outbox->Take().has_value());
  ASSERT_TRUE(outbox->end().has_value());
  EXPECT_EQ(outbox->end()->code(), absl::StatusCode::kAborted);
}

TEST_F(SessionsTest, ABrokenStreamIsForgivenForAShortGraceOnly) {
  auto outbox = Connect("n1", "i1", 0);
  sessions_.Broken("n1", *outbox, 1'000);
  EXPECT_TRUE(Tick(1'299).empty());
  auto again = Connect("n1", "i1", 1'299);
  EXPECT_TRUE(Tick(2'000).empty());
  sessions_.Broken("n1", *again, 3'000);
  const auto lost = Tick(3'300);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].cause, "connection closed");
}

TEST_F(SessionsTest, TheEndOfAFormerStreamIsNotTheEndOfItsSuccessor) {
  auto former = Connect("n1", "i1", 0);
  auto next = Connect("n1", "i1", 10);
  ASSERT_TRUE(former->end().has_value());
  EXPECT_EQ(former->end()->code(), absl::StatusCode::kAborted);
  sessions_.Broken("n1", *former, 20);
  EXPECT_TRUE(Tick(1'000).empty());
  EXPECT_TRUE(sessions_.Heard("n1", *next, 1'000, 1'000));
}

TEST_F(SessionsTest, AnotherProcessWithTheSameNodeIdEndsTheFormerForGood) {
  auto former = Connect("n1", "i1", 0);
  Connect("n1", "i2", 10);
  const auto words = former->Take();
  ASSERT_TRUE(words.has_value());
  while (auto more = former->Take()) FAIL() << more->DebugString();
  EXPECT_TRUE(words->has_refused());
  EXPECT_TRUE(former->end()->ok());
}

TEST_F(SessionsTest, AfterAGapAllLeasesStartAnew) {
  auto one = Connect("n1", "i1", 0);
  auto two = Connect("n2", "i2", 0);
  sessions_.Broken("n2", *two, 1);
  EXPECT_TRUE(Tick(60'000, /*gap=*/true).empty());
  EXPECT_TRUE(Tick(60'299).empty());
  ASSERT_EQ(Tick(60'300).size(), 1u);
  ASSERT_EQ(Tick(70'000).size(), 1u);
}

TEST_F(SessionsTest, AfterARestartTheNodesOfTheStoreGetALeaseWithoutTheGrace) {
  state::State state;
  state.nodes["n1"].up = true;
  state.nodes["n1"].offer.incarnation = "i1";
  state.nodes["n2"].up = false;
  sessions_.Recover(state, 0);
  EXPECT_TRUE(Tick(9'999).empty());
  const auto lost = Tick(10'000);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].node, "n1");
}

TEST_F(SessionsTest, TheLeaseStandsStillWhileTheSchedulerDoesNotRead) {
  auto outbox = Connect("n1", "i1", 0);
  sessions_.Pause("n1", *outbox, true, 100);
  EXPECT_TRUE(Tick(50'000).empty());
  sessions_.Pause("n1", *outbox, false, 50'000);
  EXPECT_TRUE(Tick(59'999).empty());
  EXPECT_EQ(Tick(60'000).size(), 1u);
}

TEST_F(SessionsTest, ANodeLostCarriesTheProgressOfItsTasks) {
  auto outbox = Connect("n1", "i1", 0);
  state::WantedTask wanted;
  wanted.task = {.job = "j", .attempt = 1, .rank = 0, .token = 5};
  wanted.spec = std::make_shared<state::JobSpec>();
  sessions_.Deliver({state::SendWanted{.node = "n1", .incarnation = "i1", .tasks = {wanted}}});
  progress_.Update({.task = wanted.task, .step = 41, .step_ms = 9, .save_ms = 3});
  progress_.Update({.task = {.job = "j", .attempt = 1, .rank = 1, .token = 5}, .step = 99});
  const state::NodeLost lost = sessions_.Leave("n1", *outbox, "goodbye");
  ASSERT_EQ(lost.tasks.size(), 1u);
  EXPECT_EQ(lost.tasks[0].step, 41);
  EXPECT_EQ(sessions_.size(), 0u);
}

TEST_F(SessionsTest, EffectsForAnotherIncarnationGoNowhere) {
  auto outbox = Connect("n1", "i2", 0);
  while (outbox->Take()) {
  }
  sessions_.Deliver({state::SendWanted{.node = "n1", .incarnation = "i1", .tasks = {}}});
  EXPECT_FALSE(outbox->Take().has_value());
  sessions_.Deliver({state::SendWanted{.node = "n1", .incarnation = "i2", .tasks = {}}});
  EXPECT_TRUE(outbox->Take()->has_wanted());
}

TEST_F(SessionsTest, NobodyIsLostOnceTheSchedulerIsEnding) {
  auto outbox = Connect("n1", "i1", 0);
  sessions_.Freeze();
  sessions_.Broken("n1", *outbox, 0);
  EXPECT_TRUE(Tick(100'000).empty());
}

}  // namespace
}  // namespace baton::edge
