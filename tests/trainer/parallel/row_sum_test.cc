#include "trainer/parallel/row_sum.h"

#include <cstring>
#include <map>
#include <thread>

#include "common/random.h"
#include "gtest/gtest.h"
#include "trainer/comm/local.h"
#include "trainer/parallel/gradient_exchange.h"

namespace baton::trainer {
namespace {

constexpr int64_t kRows = 23;
constexpr size_t kWidth = 5;

// Few of the rows, and values among which are both zeros and pairs that cancel out.
RowGradient RandomRows(Random& random) {
  RowGradient rows;
  const uint64_t share = random.Below(5);
  for (int32_t id = 0; id < kRows; ++id) {
    if (random.Below(4) >= share) continue;
    rows.ids.push_back(id);
    for (size_t c = 0; c < kWidth; ++c) {
      const float choices[] = {0.0f, -0.0f, 1.5f, -1.5f,
                               static_cast<float>(random.Between(-1000, 1000)) * 1e-3f};
      rows.values.push_back(choices[random.Below(5)]);
    }
  }
  return rows;
}

std::vector<float> Dense(const RowGradient& rows) {
  std::vector<float> dense(kRows * kWidth);
  for (size_t i = 0; i < rows.ids.size(); ++i) {
    std::copy_n(&rows.values[i * kWidth], kWidth,
                &dense[static_cast<size_t>(rows.ids[i]) * kWidth]);
  }
  return dense;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::vector<ShardRange> Leaves(int shards) {
  std::vector<ShardRange> leaves;
  for (int shard = 0; shard < shards; ++shard) leaves.push_back({shard, 1});
  return leaves;
}

TEST(RowSumTest, HasTheBitsOfTheDenseSum) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const int shards = 1 + static_cast<int>(random.Below(9));
    const TreeSum tree({0, shards}, Leaves(shards));
    std::vector<RowGradient> leaves;
    for (int shard = 0; shard < shards; ++shard) leaves.push_back(RandomRows(random));
    std::vector<std::vector<float>> dense;
    std::vector<const float*> dense_inputs;
    std::vector<const RowGradient*> inputs;
    std::map<int32_t, int> ids;
    for (const RowGradient& leaf : leaves) {
      dense.push_back(Dense(leaf));
      inputs.push_back(&leaf);
      for (const int32_t id : leaf.ids) ++ids[id];
    }
    for (const auto& leaf : dense) dense_inputs.push_back(leaf.data());
    std::vector<float> want(kRows * kWidth);
    tree.Add(dense_inputs.data(), want.size(), want.data());
    RowSum adder;
    RowGradient got;
    for (int again = 0; again < 2; ++again) adder.Add(tree, inputs, kWidth, &got);
    EXPECT_TRUE(SameBits(Dense(got), want));
    EXPECT_EQ(got.ids.size(), ids.size());
    for (size_t i = 1; i < got.ids.size(); ++i) EXPECT_LT(got.ids[i - 1], got.ids[i]);
  }
}

// The rows of two tables, as every rank has them after each step.
using Seen = std::vector<std::vector<float>>;

void RunRank(int shards, Group& group, Seen* seen) {
  ShardPool pool(2);
  auto exchange =
      GradientExchange::Create(group, pool, shards, 3, {{kRows, kWidth}, {kRows, kWidth}});
  ASSERT_TRUE(exchange.ok()) << exchange.status();
  for (int64_t step = 0; step < 3; ++step) {
    for (int i = 0; i < (*exchange)->run().count; ++i) {
      Random random(static_cast<uint64_t>((*exchange)->run().first + i) * 100 +
                    static_cast<uint64_t>(step));
      for (RowGradient& rows : (*exchange)->shard_rows(i)) rows = RandomRows(random);
    }
    const auto sum = (*exchange)->Run({.step = step}, std::chrono::milliseconds(20000));
    ASSERT_TRUE(sum.ok()) << sum.status();
    for (const RowGradient* rows : sum->rows) seen->push_back(Dense(*rows));
  }
}

std::vector<Seen> RunAll(int shards, int ranks) {
  auto members = MakeLocalGroup(ranks);
  std::vector<Seen> seen(static_cast<size_t>(ranks));
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < seen.size(); ++rank) {
    threads.emplace_back([&, rank] {
      RunRank(shards, *members[rank], &seen[rank]);
      members[rank].reset();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return seen;
}

TEST(RowExchangeTest, EveryWorldSizeGivesEveryRankTheSameBits) {
  for (const int shards : {1, 3, 5, 8}) {
    const Seen alone = RunAll(shards, 1)[0];
    ASSERT_EQ(alone.size(), 6u);
    for (int ranks = 2; ranks <= shards; ++ranks) {
      for (const Seen& seen : RunAll(shards, ranks)) {
        ASSERT_EQ(seen.size(), alone.size());
        for (size_t i = 0; i < seen.size(); ++i) {
          EXPECT_TRUE(SameBits(seen[i], alone[i])) << "V=" << shards << " P=" << ranks;
        }
      }
    }
  }
}

}  // namespace
}  // namespace baton::trainer
