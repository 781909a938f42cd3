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
  request.standing = {generation, 4};
  return request;
}

std::vector<Rendezvous::Answer> Tell(Rendezvous& rendezvous, const Rendezvous::Request& request) {
  return rendezvous.Handle(request).answers;
}

Rendezvous::Request Lost(int32_t rank, uint64_t id, int32_t lost_rank, uint64_t generation = 0) {
  Rendezvous::Request request = Ask(Op::kLost, rank, id, "", "", generation);
  request.lost_rank = lost_rank;
  return request;
}

TEST(Rendezvous, AWaitIsAnsweredWhenTheKeyComes) {
  Rendezvous rendezvous({});
  EXPECT_TRUE(Tell(rendezvous, Ask(Op::kWait, 0, 1, "k")).empty());
  EXPECT_TRUE(Tell(rendezvous, Ask(Op::kWait, 1, 2, "k")).empty());
  const auto answers = Tell(rendezvous, Ask(Op::kSet, 2, 3, "k", "v"));
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].id, 1u);
  EXPECT_EQ(answers[0].node, "n0");
  EXPECT_EQ(answers[0].value, "v");
  EXPECT_EQ(answers[1].id, 2u);
  EXPECT_EQ(answers[2].id, 3u);
  EXPECT_EQ(answers[2].error, "");
  // And at once when it is there already; a set may be repeated.
  EXPECT_EQ(Tell(rendezvous, Ask(Op::kWait, 0, 4, "k")).at(0).value, "v");
  EXPECT_EQ(Tell(rendezvous, Ask(Op::kSet, 2, 5, "k", "v")).at(0).error, "");
}

TEST(Rendezvous, ANewerGenerationOrAttemptMakesTheOlderStale) {
  for (const bool newer_attempt : {false, true}) {
    Rendezvous rendezvous({});
    Tell(rendezvous, Ask(Op::kSet, 1, 1, "old", "v"));
    Tell(rendezvous, Ask(Op::kWait, 0, 2, "k"));
    const auto answers = newer_attempt ? Tell(rendezvous, Ask(Op::kSet, 1, 3, "x", "y", 0, 6))
                                       : Tell(rendezvous, Ask(Op::kSet, 1, 3, "x", "y", 1, 5));
    ASSERT_EQ(answers.size(), 2u);
    EXPECT_EQ(answers[0].id, 2u);
    EXPECT_NE(answers[0].stale_generation, 0u);
    // The late one hears it too, and its key does not come back.
    const auto late = Tell(rendezvous, Ask(Op::kSet, 0, 4, "old", "v"));
    ASSERT_EQ(late.size(), 1u);
    EXPECT_NE(late[0].stale_generation, 0u);
  }
}

TEST(Rendezvous, ALossAnswersAllWaitsAndLaterOnes) {
  Rendezvous rendezvous({});
  Tell(rendezvous, Ask(Op::kSet, 0, 1, "there", "v"));
  Tell(rendezvous, Ask(Op::kWait, 0, 2, "k"));
  const auto answers = Tell(rendezvous, Lost(1, 3, 2));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_TRUE(answers[0].lost);
  EXPECT_EQ(answers[0].lost_rank, 2);
  EXPECT_FALSE(answers[1].lost);
  EXPECT_TRUE(Tell(rendezvous, Ask(Op::kWait, 0, 4, "k")).at(0).lost);
  EXPECT_EQ(Tell(rendezvous, Ask(Op::kWait, 0, 5, "there")).at(0).value, "v");
  // The next generation begins without the loss.
  EXPECT_TRUE(Tell(rendezvous, Ask(Op::kWait, 0, 6, "k", "", 1)).empty());
}

TEST(Rendezvous, WhatTheCoreKnowsReachesTheWaits) {
  Rendezvous rendezvous({});
  Tell(rendezvous, Ask(Op::kWait, 0, 1, "k", "", 1));
  EXPECT_TRUE(rendezvous.Update("j", 4, 1, {1}).empty()) << "an older attempt's loss";
  EXPECT_TRUE(rendezvous.Update("other", 5, 1, {1}).empty());
  const auto lost = rendezvous.Update("j", 5, 1, {1});
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_TRUE(lost[0].lost);
  EXPECT_EQ(lost[0].lost_rank, 1);
  EXPECT_TRUE(rendezvous.Update("j", 5, 1, {1}).empty()) << "told once";

  Tell(rendezvous, Ask(Op::kWait, 0, 2, "k", "", 2));
  const auto stale = rendezvous.Update("j", 6, 1, {});
  ASSERT_EQ(stale.size(), 1u);
  EXPECT_NE(stale[0].stale_generation, 0u);

  Tell(rendezvous, Ask(Op::kWait, 0, 3, "k", "", 1, 6));
  EXPECT_NE(rendezvous.Forget("j").at(0).stale_generation, 0u);
  EXPECT_FALSE(rendezvous.Knows("j"));
}

TEST(Rendezvous, TheCoreAloneMakesGenerations) {
  Rendezvous rendezvous({});
  Tell(rendezvous, Ask(Op::kSet, 1, 1, "there", "v", 1));
  Tell(rendezvous, Ask(Op::kWait, 0, 2, "k", "", 1));
  // A task can't move its gang on.
  Rendezvous::Request ahead = Ask(Op::kSet, 1, 3, "k", "v", 2);
  ahead.standing.generation = 1;
  EXPECT_NE(Tell(rendezvous, ahead).at(0).error, "");
  EXPECT_EQ(Tell(rendezvous, Ask(Op::kWait, 1, 4, "there", "", 1)).at(0).value, "v");
  const auto stale = rendezvous.Update("j", 5, 2, {});
  ASSERT_EQ(stale.size(), 1u);
  EXPECT_EQ(stale[0].id, 2u);
  EXPECT_EQ(stale[0].stale_generation, 2u);
  EXPECT_TRUE(rendezvous.Update("j", 5, 1, {0}).empty()) << "what the core once said";
  EXPECT_TRUE(Tell(rendezvous, Ask(Op::kWait, 0, 5, "there", "", 2)).empty())
      << "the older generation's keys are gone";
  // A node that has not heard of it yet.
  Rendezvous::Request late = Ask(Op::kWait, 2, 6, "there", "", 1);
  EXPECT_EQ(Tell(rendezvous, late).at(0).stale_generation, 2u);
}

TEST(Rendezvous, WhoKnowsOfTheLossWaitsForTheNextGeneration) {
  Rendezvous rendezvous({});
  const auto wait = [&](int32_t rank, const std::string& key) {
    return Tell(rendezvous, Ask(Op::kWait, rank, 1, key, "", 1));
  };
  EXPECT_TRUE(wait(0, "next-generation").empty());
  EXPECT_EQ(Tell(rendezvous, Lost(1, 2, 3, 1)).size(), 2u) << "rank 0 hears of it";
  EXPECT_TRUE(wait(0, "next-generation").empty());
  EXPECT_TRUE(wait(1, "next-generation").empty()) << "it has told itself";
  EXPECT_TRUE(wait(2, "next-generation").at(0).lost) << "nobody has told it yet";
  EXPECT_TRUE(wait(2, "next-generation").empty());
  EXPECT_TRUE(wait(0, "address-3").at(0).lost) << "nobody will set it";
  // Another one is lost: all hear of that.
  EXPECT_EQ(Tell(rendezvous, Lost(1, 3, 2, 1)).size(), 4u);
  EXPECT_TRUE(wait(0, "next-generation").empty());
  EXPECT_EQ(rendezvous.Update("j", 5, 2, {}).size(), 1u);
}

TEST(Rendezvous, ALossIsNewsOncePerReporterRankAndGeneration) {
  Rendezvous rendezvous({});
  const auto is_news = [&](const Rendezvous::Request& request) {
    return rendezvous.Handle(request).is_news;
  };
  EXPECT_TRUE(is_news(Lost(0, 1, 2, 1)));
  EXPECT_FALSE(is_news(Lost(0, 2, 2, 1)));
  EXPECT_TRUE(is_news(Lost(0, 3, 3, 1)));
  EXPECT_TRUE(is_news(Lost(1, 4, 2, 1))) << "another one says it";
  EXPECT_FALSE(is_news(Lost(0, 5, 4, 1))) << "the world has four ranks";
  EXPECT_FALSE(is_news(Lost(0, 6, -1, 1)));
  EXPECT_FALSE(is_news(Ask(Op::kSet, 0, 7, "k", "v", 1)));
  rendezvous.DropWaits("n0");
  EXPECT_TRUE(is_news(Lost(0, 8, 2, 1))) << "said again on a new connection";
  EXPECT_FALSE(is_news(Lost(1, 9, 2, 1)));
  EXPECT_TRUE(is_news(Lost(0, 10, 2, 2)));
  EXPECT_FALSE(is_news(Lost(0, 11, 2, 1))) << "of a generation that is over";
}

TEST(Rendezvous, ReadinessIsNewsOnceInAnyGeneration) {
  Rendezvous rendezvous({});
  const auto is_news = [&](int32_t task, uint64_t generation, state::Token token = 5) {
    return rendezvous.Handle(Ask(Op::kReady, task, 1, "", "", generation, token)).is_news;
  };
  EXPECT_TRUE(is_news(7, 1));
  EXPECT_FALSE(is_news(7, 1));
  EXPECT_TRUE(is_news(8, 3));
  EXPECT_TRUE(is_news(9, 2)) << "ready for any generation behind that one";
  EXPECT_FALSE(is_news(7, 3));
  EXPECT_TRUE(is_news(7, 1, 6)) << "another attempt's task";
  EXPECT_FALSE(is_news(8, 1, 5)) << "an older attempt's";
}

TEST(Rendezvous, ABrokenConnectionDropsItsWaitsOnly) {
  Rendezvous rendezvous({});
  Tell(rendezvous, Ask(Op::kWait, 0, 1, "k"));
  Tell(rendezvous, Ask(Op::kWait, 1, 2, "k"));
  rendezvous.DropWaits("n0");
  const auto answers = Tell(rendezvous, Ask(Op::kSet, 2, 3, "k", "v"));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].id, 2u);
}

TEST(Rendezvous, AKeyThatNobodyNeedsGoes) {
  Rendezvous rendezvous({.keys_per_gang_max = 1, .bytes_max = 100});
  Tell(rendezvous, Ask(Op::kSet, 0, 1, "a", std::string(90, 'v')));
  EXPECT_TRUE(Tell(rendezvous, Ask(Op::kWait, 1, 2, "b")).empty());
  EXPECT_TRUE(Tell(rendezvous, Ask(Op::kWait, 2, 3, "b")).empty());
  Tell(rendezvous, Ask(Op::kDone, 0, 4, "a"));
  Tell(rendezvous, Ask(Op::kDone, 1, 5, "b"));
  EXPECT_TRUE(Tell(rendezvous, Ask(Op::kWait, 0, 6, "a")).empty()) << "its value is gone";
  // Its room is free, and of the waits only that of the other task is there.
  const auto answers = Tell(rendezvous, Ask(Op::kSet, 0, 7, "b", std::string(90, 'w')));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].id, 3u);
  EXPECT_EQ(answers[1].error, "");
}

TEST(Rendezvous, LimitsAreAnsweredInWords) {
  Rendezvous rendezvous({.keys_per_gang_max = 2, .waits_per_gang_max = 1, .bytes_max = 100});
  EXPECT_NE(Tell(rendezvous, Ask(Op::kSet, 0, 1, std::string(257, 'k'), "v")).at(0).error, "");
  EXPECT_NE(
      Tell(rendezvous, Ask(Op::kSet, 0, 2, "k", std::string((64 << 10) + 1, 'v'))).at(0).error, "");
  EXPECT_NE(Tell(rendezvous, Ask(Op::kSet, 0, 3, "k", std::string(101, 'v'))).at(0).error, "");
  EXPECT_EQ(Tell(rendezvous, Ask(Op::kSet, 0, 4, "a", "")).at(0).error, "");
  EXPECT_EQ(Tell(rendezvous, Ask(Op::kSet, 0, 5, "b", std::string(90, 'v'))).at(0).error, "");
  EXPECT_NE(Tell(rendezvous, Ask(Op::kSet, 0, 6, "c", "")).at(0).error, "");
  EXPECT_TRUE(Tell(rendezvous, Ask(Op::kWait, 0, 7, "d")).empty());
  EXPECT_NE(Tell(rendezvous, Ask(Op::kWait, 0, 8, "d")).at(0).error, "");
  // The room comes back with the keys' end.
  rendezvous.Forget("j");
  EXPECT_EQ(Tell(rendezvous, Ask(Op::kSet, 0, 9, "b", std::string(90, 'v'))).at(0).error, "");
}

}  // namespace
}  // namespace baton::edge
