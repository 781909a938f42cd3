#include "trainer/parallel/gradient_exchange.h"

#include <algorithm>
#include <cstring>
#include <latch>
#include <thread>

#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "trainer/comm/local.h"

namespace baton::trainer {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTimeout{20000};

float ShardValue(int shard, int64_t step, size_t i) {
  Random random(static_cast<uint64_t>(shard) * 1000003 + static_cast<uint64_t>(step) * 7919 + i);
  return static_cast<float>(random.Between(-1000000, 1000000)) *
         (random.Chance(1, 3) ? 1e-6f : 1e-2f);
}

// What one rank does and sees; steps from 0.
struct Rank {
  std::vector<std::vector<float>> gradients;  // per step
  std::vector<double> losses;                 // of all shards, of the last step
  std::vector<uint32_t> flags;                // per step
  absl::Status status;
};

struct Script {
  int shards;
  int ranks;
  size_t parameters;
  int steps = 2;
  int drifting_rank = -1;  // its weights differ from step 1 on
  int leaving_rank = -1;   // raises the flag at step 1
  size_t bucket_bytes = kBucketBytes;
  bool early = false;  // says what is ready while it computes
  int slow_rank = -1;  // stops in the midst of step 1 until the others have nothing left to do
  std::latch* others_wait = nullptr;
  int dying_rank = -1;  // is gone at step 1, when half of the gradient is ready
};

// As a backward pass does it: from behind, in pieces of which some end within a bucket.
void Compute(const Script& script, Group& group, int64_t step, GradientExchange& exchange, int i) {
  const int shard = exchange.run().first + i;
  float* gradient = exchange.shard_gradient(i);
  Random random(static_cast<uint64_t>(shard) + static_cast<uint64_t>(step) * 100);
  const bool dies = step == 1 && group.rank() == script.dying_rank;
  size_t from = script.parameters;
  while (from > (dies ? script.parameters / 2 : 0)) {
    const size_t end = from;
    from -= std::min<size_t>(from, 1 + random.Below(script.parameters / 3));
    for (size_t j = from; j < end; ++j) gradient[j] = ShardValue(shard, step, j);
    if (group.rank() == script.slow_rank && step == 1) script.others_wait->wait();
    if (script.early) exchange.Ready(i, from);
  }
  exchange.shard_result(i) = {shard + 0.5, shard};
}

void RunRank(const Script& script, Group& group, Rank* seen) {
  ShardPool pool(2);
  auto exchange = GradientExchange::Create(group, pool, script.shards, script.parameters, {},
                                           script.bucket_bytes);
  ASSERT_TRUE(exchange.ok()) << exchange.status();
  for (int64_t step = 0; step < script.steps; ++step) {
    pool.ForEach((*exchange)->run().count,
                 [&](int i, int) { Compute(script, group, step, **exchange, i); });
    if (step == 1 && group.rank() == script.dying_rank) return;
    if (step == 1 && script.others_wait != nullptr && group.rank() != script.slow_rank) {
      script.others_wait->count_down();
    }
    GradientExchange::Step now;
    now.step = step;
    now.weights_digest = step > 0 && group.rank() == script.drifting_rank ? 2 : 1;
    now.flags = step == 1 && group.rank() == script.leaving_rank ? kFlagLeave : 0;
    const auto sum = (*exchange)->Run(now, kTimeout);
    seen->status = sum.status();
    if (!sum.ok()) return;
    seen->gradients.emplace_back(sum->gradient.begin(), sum->gradient.end());
    seen->flags.push_back(sum->flags);
    seen->losses.clear();
    for (const ShardResult& result : sum->results) seen->losses.push_back(result.loss_sum);
  }
}

std::vector<Rank> RunAll(const Script& script) {
  auto members = MakeLocalGroup(script.ranks);
  std::vector<Rank> seen(script.ranks);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < script.ranks; ++rank) {
    threads.emplace_back([&, rank] {
      RunRank(script, *members[rank], &seen[rank]);
      members[rank].reset();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return seen;
}

TEST(GradientExchangeTest, EveryWorldSizeGivesEveryRankTheSameBits) {
  for (const int shards : {1, 3, 5, 8}) {
    // A parameter vector smaller than a cache line leaves most slices empty.
    for (const size_t parameters : {size_t{7}, size_t{5000}}) {
      const Rank alone = RunAll({shards, 1, parameters})[0];
      for (int ranks = 2; ranks <= shards; ++ranks) {
        for (const Rank& rank : RunAll({shards, ranks, parameters})) {
          ASSERT_TRUE(rank.status.ok()) << rank.status;
          EXPECT_EQ(rank.losses, alone.losses);
          for (size_t step = 0; step < alone.gradients.size(); ++step) {
            EXPECT_EQ(std::memcmp(rank.gradients[step].data(), alone.gradients[step].data(),
                                  parameters * sizeof(float)),
                      0)
                << "V=" << shards << " P=" << ranks << " n=" << parameters;
          }
        }
      }
    }
  }
}

// What leaves early leaves in buckets of any size; the sum is the same.
TEST(GradientExchangeTest, EarlyBucketsGiveTheSameBits) {
  for (const int shards : {2, 5, 6, 11}) {
    for (const size_t parameters : {size_t{7}, size_t{500}}) {
      const Rank alone = RunAll({shards, 1, parameters})[0];
      for (int ranks = 2; ranks <= std::min(shards, 5); ++ranks) {
        for (const size_t bucket_bytes : {size_t{64}, size_t{300}, kBucketBytes}) {
          Script script{shards, ranks, parameters, 3};
          script.bucket_bytes = bucket_bytes;
          script.early = true;
          for (const Rank& rank : RunAll(script)) {
            ASSERT_TRUE(rank.status.ok()) << rank.status;
            EXPECT_EQ(rank.losses.size(), static_cast<size_t>(shards));
            for (size_t step = 0; step < alone.gradients.size(); ++step) {
              EXPECT_EQ(std::memcmp(rank.gradients[step].data(), alone.gradients[step].data(),
                                    parameters * sizeof(float)),
                        0)
                  << "V=" << shards << " P=" << ranks << " bucket " << bucket_bytes;
            }
          }
        }
      }
    }
  }
}

TEST(GradientExchangeTest, AWaitForASlowPeerChangesNothing) {
  const Rank alone = RunAll({5, 1, 500})[0];
  for (const int slow : {0, 2}) {
    Script script{5, 3, 500};
    script.bucket_bytes = 128;
    script.early = true;
    script.slow_rank = slow;
    std::latch others_wait(2);
    script.others_wait = &others_wait;
    for (const Rank& rank : RunAll(script)) {
      ASSERT_TRUE(rank.status.ok()) << rank.status;
      EXPECT_EQ(rank.gradients, alone.gradients);
    }
  }
}

TEST(GradientExchangeTest, APeerThatDiesAmidItsBucketsFailsTheStep) {
  for (const int dying : {0, 1, 2}) {
    Script script{6, 3, 500};
    script.bucket_bytes = 64;
    script.early = true;
    script.dying_rank = dying;
    const std::vector<Rank> seen = RunAll(script);
    for (int rank = 0; rank < 3; ++rank) {
      EXPECT_EQ(seen[rank].gradients.size(), 1u);
      if (rank == dying) continue;
      EXPECT_EQ(seen[rank].status.code(), absl::StatusCode::kUnavailable) << seen[rank].status;
    }
  }
}

TEST(GradientExchangeTest, EveryRankSeesTheLeaveFlagInTheSameStep) {
  for (const Rank& rank : RunAll({4, 3, 100, 3, -1, 2})) {
    EXPECT_TRUE(rank.status.ok()) << rank.status;
    EXPECT_THAT(rank.flags, testing::ElementsAre(0u, kFlagLeave, 0u));
  }
}

TEST(GradientExchangeTest, ARankWhoseWeightsDriftedIsCaughtByAll) {
  for (const Rank& rank : RunAll({4, 3, 100, 3, 1, -1})) {
    EXPECT_EQ(rank.status.code(), absl::StatusCode::kDataLoss) << rank.status;
    EXPECT_THAT(std::string(rank.status.message()), testing::HasSubstr("rank 1 differ"));
    EXPECT_EQ(rank.gradients.size(), 1u);
  }
}

TEST(GradientExchangeTest, ALostPeerFailsTheStep) {
  auto members = MakeLocalGroup(2);
  members[1].reset();
  Rank seen;
  RunRank({2, 2, 100}, *members[0], &seen);
  EXPECT_EQ(seen.status.code(), absl::StatusCode::kUnavailable) << seen.status;
  EXPECT_TRUE(seen.gradients.empty());
}

}  // namespace
}  // namespace baton::trainer
