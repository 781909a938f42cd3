#include "trainer/parallel/gradient_exchange.h"

#include <cstring>
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
};

void RunRank(const Script& script, Group& group, Rank* seen) {
  ShardPool pool(2);
  auto exchange = GradientExchange::Create(group, pool, script.shards, script.parameters);
  ASSERT_TRUE(exchange.ok()) << exchange.status();
  for (int64_t step = 0; step < script.steps; ++step) {
    for (int i = 0; i < (*exchange)->run().count; ++i) {
      const int shard = (*exchange)->run().first + i;
      for (size_t j = 0; j < script.parameters; ++j) {
        (*exchange)->shard_gradient(i)[j] = ShardValue(shard, step, j);
      }
      (*exchange)->shard_result(i) = {shard + 0.5, shard};
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
