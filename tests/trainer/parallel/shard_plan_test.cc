#include "trainer/parallel/shard_plan.h"

#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

TEST(ShardPlanTest, RunsAreBalancedContiguousAndWhole) {
  for (int shards = 1; shards <= 33; ++shards) {
    for (int ranks = 1; ranks <= shards; ++ranks) {
      int next = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const ShardRange run = RunOf(shards, ranks, rank);
        EXPECT_EQ(run.first, next);
        EXPECT_GE(run.count, shards / ranks);
        EXPECT_LE(run.count, (shards + ranks - 1) / ranks);
        next = run.end();
      }
      EXPECT_EQ(next, shards);
    }
  }
}

TEST(ShardPlanTest, SlicesTileTheParametersOnCacheLines) {
  for (const size_t parameters : {1u, 15u, 16u, 17u, 61706u, 100000u}) {
    for (int ranks = 1; ranks <= 8; ++ranks) {
      size_t next = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const Slice slice = SliceOf(parameters, ranks, rank);
        EXPECT_EQ(slice.first, next);
        if (slice.count > 0) {
          EXPECT_EQ(slice.first % 16, 0u);
        }
        next = slice.first + slice.count;
      }
      EXPECT_EQ(next, parameters);
    }
  }
}

// What one rank sends is what the other expects, byte for byte in the same layout.
TEST(ShardPlanTest, BothEndsAgreeOnEveryMessage) {
  for (int shards = 1; shards <= 9; ++shards) {
    for (int ranks = 1; ranks <= shards; ++ranks) {
      std::vector<ExchangePlan> plans;
      for (int rank = 0; rank < ranks; ++rank) plans.emplace_back(shards, ranks, rank, 1000);
      for (int from = 0; from < ranks; ++from) {
        for (int to = 0; to < ranks; ++to) {
          if (from == to) continue;
          EXPECT_EQ(plans[from].sends[to].size_bytes, plans[to].receives[from].size_bytes);
          EXPECT_EQ(plans[from].sends[to].floats_bytes, plans[to].receives[from].floats_bytes);
        }
      }
    }
  }
}

TEST(ShardPlanTest, MessagesDoNotOverlapAndStayInTheirBuffer) {
  const ExchangePlan plan(8, 3, 1, 61706);
  size_t end = 0;
  for (const MessageLayout& message : plan.sends) {
    EXPECT_GE(message.offset_bytes, end);
    EXPECT_EQ(message.offset_bytes % 64, 0u);
    end = message.offset_bytes + message.size_bytes;
  }
  EXPECT_LE(end, plan.send_bytes);
  end = 0;
  for (const MessageLayout& message : plan.receives) {
    if (message.size_bytes == 0) continue;
    EXPECT_GE(message.offset_bytes, end);
    end = message.offset_bytes + message.size_bytes;
  }
  EXPECT_LE(end, plan.receive_bytes);
}

// At a power of two each rank owns one node, so the exchange moves what a ring all-reduce moves.
TEST(ShardPlanTest, PowersOfTwoSendOneNodePerRank) {
  for (const int ranks : {1, 2, 4, 8}) {
    const ExchangePlan plan(8, ranks, 0, 61706);
    for (const auto& nodes : plan.nodes) EXPECT_EQ(nodes.size(), 1u);
  }
}

}  // namespace
}  // namespace baton::trainer
