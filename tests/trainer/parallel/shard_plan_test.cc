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

TEST(ShardPlanTest, BucketsTileTheParametersFromBehind) {
  for (const size_t parameters : {0u, 1u, 17u, 61706u, 100000u}) {
    for (const size_t bucket_bytes : {size_t{64}, size_t{4096}, kBucketBytes}) {
      const ExchangePlan plan(4, 3, 1, parameters, bucket_bytes);
      size_t end = parameters;
      for (const BucketPlan& bucket : plan.buckets) {
        EXPECT_EQ(bucket.range.first + bucket.range.count, end);
        EXPECT_LT(bucket.range.count * sizeof(float), 2 * bucket_bytes + 64);
        end = bucket.range.first;
        size_t next = bucket.range.first;
        for (const Slice& slice : bucket.slices) {
          EXPECT_EQ(slice.first, next);
          next += slice.count;
        }
        EXPECT_EQ(next, bucket.range.first + bucket.range.count);
      }
      EXPECT_EQ(end, 0u);
      if (parameters * sizeof(float) < 2 * bucket_bytes) {
        EXPECT_EQ(plan.buckets.size(), 1u);
      }
    }
  }
}

// What one rank sends is what the other expects, byte for byte in the same layout.
TEST(ShardPlanTest, BothEndsAgreeOnEveryMessage) {
  for (int shards = 1; shards <= 9; ++shards) {
    for (int ranks = 1; ranks <= shards; ++ranks) {
      std::vector<ExchangePlan> plans;
      for (int rank = 0; rank < ranks; ++rank) plans.emplace_back(shards, ranks, rank, 1000, 512);
      for (size_t b = 0; b < plans[0].buckets.size(); ++b) {
        for (int from = 0; from < ranks; ++from) {
          for (int to = 0; to < ranks; ++to) {
            if (from == to) continue;
            const MessageLayout& sent = plans[from].buckets[b].sends[to];
            const MessageLayout& expected = plans[to].buckets[b].receives[from];
            EXPECT_EQ(sent.size_bytes, expected.size_bytes);
            EXPECT_EQ(sent.floats_bytes, expected.floats_bytes);
            EXPECT_EQ(sent.floats_bytes > 0, b + 1 == plans[0].buckets.size());
          }
        }
      }
    }
  }
}

TEST(ShardPlanTest, MessagesDoNotOverlapAndStayInTheirBuffer) {
  const ExchangePlan plan(8, 3, 1, 61706, 10000);
  EXPECT_EQ(plan.buckets.size(), 24u);
  size_t end = 0;
  for (const BucketPlan& bucket : plan.buckets) {
    for (const MessageLayout& message : bucket.sends) {
      EXPECT_GE(message.offset_bytes, end);
      EXPECT_EQ(message.offset_bytes % 64, 0u);
      end = message.offset_bytes + message.size_bytes;
    }
  }
  EXPECT_LE(end, plan.send_bytes);
  end = 0;
  for (const BucketPlan& bucket : plan.buckets) {
    for (const MessageLayout& message : bucket.receives) {
      if (message.size_bytes == 0) continue;
      EXPECT_GE(message.offset_bytes, end);
      end = message.offset_bytes + message.size_bytes;
    }
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
