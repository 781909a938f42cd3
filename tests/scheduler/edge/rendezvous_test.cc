#include "scheduler/edge/rendezvous.h"

#include <gtest/gtest.h>

namespace baton::edge {
namespace {

using Op = Rendezvous::Op;

Rendezvous::Request Ask(Op op, int32_t rank, uint64_t id, const std::string& key = "",
                        const std::string& value = "", uint64_t generation = 0,
                        state::Token token = 5) {
  Rendezvous::Request request;
  request.node = "n" + std::to_string(rank);
  request.task = {.job = "j", .attempt = 1, .rank = rank, .token = token};
  request.id = id;
  request.op = op;
  request.generation = generation;
  request.key = key;
  request.value = value;
  return request;
}

TEST(Rendezvous, AWaitIsAnsweredWhenTheKeyComes) {
  Rendezvous rendezvous({});
  EXPECT_TRUE(rendezvous.Handle(Ask(Op::kWait, 0, 1, "k")).empty());
  EXPECT_TRUE(rendezvous.Handle(Ask(Op::kWait, 1, 2, "k")).empty());
  const auto answers = rendezvous.Handle(Ask(Op::kSet, 2, 3, "k", "v"));
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].id, 1u);
  EXPECT_EQ(answers[0].node, "n0");
  EXPECT_EQ(answers[0].value, "v");
  EXPECT_EQ(answers[1].id, 2u);
  EXPECT_EQ(answers[2].id, 3u);
  EXPECT_EQ(answers[2].error, "");
  // And at once when it is there already; a set may be repeated.
  EXPECT_EQ(rendezvous.Handle(Ask(Op::kWait, 0, 4, "k")).at(0).value, "v");
  EXPECT_EQ(rendezvous.Handle(Ask(Op::kSet, 2, 5, "k", "v")).at(0).error, "");
}

TEST(Rendezvous, ANewerGenerationOrAttemptMakesTheOlderStale) {
  for (const bool newer_attempt : {false, true}) {
    Rendezvous rendezvous({});
    rendezvous.Handle(Ask(Op::kSet, 1, 1, "old", "v"));
    rendezvous.Handle(Ask(Op::kWait, 0, 2, "k"));
    const auto answers = newer_attempt ? rendezvous.Handle(Ask(Op::kSet, 1, 3, "x", "y", 0, 6))
                                       : rendezvous.Handle(Ask(Op::kSet, 1, 3, "x", "y", 1, 5));
    ASSERT_EQ(answers.size(), 2u);
    EXPECT_EQ(answers[0].id, 2u);
    EXPECT_NE(answers[0].stale_generation, 0u);
    // The late one hears it too, and its key does not come back.
    const auto late = rendezvous.Handle(Ask(Op::kSet, 0, 4, "old", "v"));
    ASSERT_EQ(late.size(), 1u);
    EXPECT_NE(late[0].stale_generation, 0u);
  }
}

TEST(Rendezvous, ALossAnswersAllWaitsAndLaterOnes) {
  Rendezvous rendezvous({});
  rendezvous.Handle(Ask(Op::kSet, 0, 1, "there", "v"));
  rendezvous.Handle(Ask(Op::kWait, 0, 2, "k"));
  Rendezvous::Request lost = Ask(Op::kLost, 1, 3);
  lost.lost_rank = 2;
  const auto answers = rendezvous.Handle(lost);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_TRUE(answers[0].lost);
  EXPECT_EQ(answers[0].lost_rank, 2);
  EXPECT_FALSE(answers[1].lost);
  EXPECT_TRUE(rendezvous.Handle(Ask(Op::kWait, 0, 4, "k")).at(0).lost);
  EXPECT_EQ(rendezvous.Handle(Ask(Op::kWait, 0, 5, "there")).at(0).value, "v");
  // The next generation begins without the loss.
  EXPECT_TRUE(rendezvous.Handle(Ask(Op::kWait, 0, 6, "k", "", 1)).empty());
}

TEST(Rendezvous, WhatTheCoreKnowsReachesTheWaits) {
  Rendezvous rendezvous({});
  rendezvous.Handle(Ask(Op::kWait, 0, 1, "k"));
  EXPECT_TRUE(rendezvous.Update("j", 4, 1, {1}).empty()) << "an older attempt's loss";
  EXPECT_TRUE(rendezvous.Update("other", 5, 1, {1}).empty());
  const auto lost = rendezvous.Update("j", 5, 1, {1});
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_TRUE(lost[0].lost);
  EXPECT_EQ(lost[0].lost_rank, 1);
  EXPECT_TRUE(rendezvous.Update("j", 5, 1, {1}).empty()) << "told once";

  rendezvous.Handle(Ask(Op::kWait, 0, 2, "k", "", 1));
  const auto stale = rendezvous.Update("j", 6, 1, {});
  ASSERT_EQ(stale.size(), 1u);
  EXPECT_NE(stale[0].stale_generation, 0u);

  rendezvous.Handle(Ask(Op::kWait, 0, 3, "k", "", 1, 6));
  EXPECT_NE(rendezvous.Forget("j").at(0).stale_generation, 0u);
  EXPECT_FALSE(rendezvous.Knows("j"));
}

TEST(Rendezvous, ABrokenConnectionDropsItsWaitsOnly) {
  Rendezvous rendezvous({});
  rendezvous.Handle(Ask(Op::kWait, 0, 1, "k"));
  rendezvous.Handle(Ask(Op::kWait, 1, 2, "k"));
  rendezvous.DropWaits("n0");
  const auto answers = rendezvous.Handle(Ask(Op::kSet, 2, 3, "k", "v"));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].id, 2u);
}

TEST(Rendezvous, LimitsAreAnsweredInWords) {
  Rendezvous rendezvous({.keys_per_gang_max = 2, .waits_per_gang_max = 1, .bytes_max = 100});
  EXPECT_NE(rendezvous.Handle(Ask(Op::kSet, 0, 1, std::string(257, 'k'), "v")).at(0).error, "");
  EXPECT_NE(
      rendezvous.Handle(Ask(Op::kSet, 0, 2, "k", std::string((64 << 10) + 1, 'v'))).at(0).error,
      "");
  EXPECT_NE(rendezvous.Handle(Ask(Op::kSet, 0, 3, "k", std::string(101, 'v'))).at(0).error, "");
  EXPECT_EQ(rendezvous.Handle(Ask(Op::kSet, 0, 4, "a", "")).at(0).error, "");
  EXPECT_EQ(rendezvous.Handle(Ask(Op::kSet, 0, 5, "b", std::string(90, 'v'))).at(0).error, "");
  EXPECT_NE(rendezvous.Handle(Ask(Op::kSet, 0, 6, "c", "")).at(0).error, "");
  EXPECT_TRUE(rendezvous.Handle(Ask(Op::kWait, 0, 7, "d")).empty());
  EXPECT_NE(rendezvous.Handle(Ask(Op::kWait, 0, 8, "d")).at(0).error, "");
  // The room comes back with the keys' end.
  rendezvous.Forget("j");
  EXPECT_EQ(rendezvous.Handle(Ask(Op::kSet, 0, 9, "b", std::string(90, 'v'))).at(0).error, "");
}

}  // namespace
}  // namespace baton::edge
