#include "trainer/data/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <vector>

#include "common/random.h"

namespace baton::trainer {
namespace {

using ::testing::HasSubstr;

Sampler Make(const SamplerOptions& options) {
  auto sampler = Sampler::Create(options);
  EXPECT_TRUE(sampler.ok()) << sampler.status();
  return *sampler;
}

std::vector<uint32_t> Sorted(std::vector<uint32_t> values) {
  std::sort(values.begin(), values.end());
  return values;
}

// All micro-batches of an epoch one after the other are its order: nothing is lost or doubled.
TEST(SamplerTest, MicroBatchesTileEveryEpoch) {
  const char* given = std::getenv("BATON_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  std::cout << "seed " << seed << " (BATON_TEST_SEED replays it)\n";
  Random random(seed);
  for (int round = 0; round < 300; ++round) {
    SamplerOptions options;
    options.seed = random.Next();
    options.sample_count = random.Between(1, 300);
    options.batch_size = random.Between(1, 90);
    options.shards = static_cast<int>(random.Between(1, std::min<int64_t>(17, options.batch_size)));
    options.shuffle = random.Chance(3, 4);
    const Sampler sampler = Make(options);
    const auto epoch = static_cast<int64_t>(random.Below(1000));
    const std::vector<uint32_t> order = sampler.Order(epoch);

    std::vector<uint32_t> all(options.sample_count);
    std::iota(all.begin(), all.end(), 0);
    ASSERT_EQ(Sorted(order), all);
    std::vector<uint32_t> drawn;
    for (int64_t step = 0; step < sampler.steps_per_epoch(); ++step) {
      size_t batch = 0, largest = 0, smallest = SIZE_MAX;
      for (int shard = 0; shard < options.shards; ++shard) {
        const auto part = sampler.MicroBatch(order, step, shard);
        drawn.insert(drawn.end(), part.begin(), part.end());
        batch += part.size();
        largest = std::max(largest, part.size());
        smallest = std::min(smallest, part.size());
      }
      ASSERT_EQ(static_cast<int64_t>(batch), sampler.batch_count(step));
      ASSERT_LE(largest - smallest, 1u);
      ASSERT_LE(static_cast<int64_t>(largest), sampler.micro_batch_max());
      if (step + 1 < sampler.steps_per_epoch()) {
        ASSERT_EQ(static_cast<int64_t>(batch), options.batch_size);
      }
    }
    ASSERT_EQ(drawn, order);
  }
}

// What the whole batch holds does not depend on the number of shards, nor on who asks when.
TEST(SamplerTest, PureInItsArguments) {
  const SamplerOptions options{.seed = 5, .sample_count = 100, .batch_size = 16, .shards = 4};
  const std::vector<uint32_t> order = Make(options).Order(3);
  EXPECT_EQ(Make(options).Order(3), order);
  const Sampler used = Make(options);
  used.Order(9);
  EXPECT_EQ(used.Order(3), order);
  SamplerOptions other = options;
  other.shards = 7;
  EXPECT_EQ(Make(other).Order(3), order);
  other.batch_size = 10;
  EXPECT_EQ(Make(other).Order(3), order);
}

TEST(SamplerTest, EpochsAndSeedsHaveTheirOwnOrder) {
  SamplerOptions options{.seed = 5, .sample_count = 100, .batch_size = 16};
  const std::vector<uint32_t> order = Make(options).Order(0);
  EXPECT_NE(Make(options).Order(1), order);
  options.seed = 6;
  EXPECT_NE(Make(options).Order(0), order);
  options.shuffle = false;
  const std::vector<uint32_t> plain = Make(options).Order(0);
  EXPECT_TRUE(std::is_sorted(plain.begin(), plain.end()));
  EXPECT_EQ(Make(options).Order(1), plain);
}

TEST(SamplerTest, ShuffleIsFair) {
  // Where sample 0 lands among 5, over 5000 epochs: five standard deviations around 1000.
  const Sampler sampler = Make({.seed = 1, .sample_count = 5, .batch_size = 5});
  std::vector<int> hits(5);
  for (int64_t epoch = 0; epoch < 5000; ++epoch) {
    const std::vector<uint32_t> order = sampler.Order(epoch);
    ++hits[std::find(order.begin(), order.end(), 0u) - order.begin()];
  }
  for (int count : hits) EXPECT_NEAR(count, 1000, 142);
}

TEST(SamplerTest, LastBatchIsKeptAndMayLeaveShardsEmpty) {
  const Sampler sampler =
      Make({.seed = 1, .sample_count = 18, .batch_size = 8, .shards = 4, .shuffle = false});
  EXPECT_EQ(sampler.steps_per_epoch(), 3);
  EXPECT_EQ(sampler.batch_count(2), 2);
  const std::vector<uint32_t> order = sampler.Order(0);
  std::vector<size_t> sizes;
  for (int shard = 0; shard < 4; ++shard) {
    sizes.push_back(sampler.MicroBatch(order, 2, shard).size());
  }
  EXPECT_EQ(sizes, (std::vector<size_t>{0, 1, 0, 1}));
}

TEST(SamplerTest, BatchLargerThanTheDataIsOneStep) {
  const Sampler sampler = Make({.sample_count = 3, .batch_size = INT64_MAX, .shards = 2});
  EXPECT_EQ(sampler.steps_per_epoch(), 1);
  EXPECT_EQ(sampler.batch_count(0), 3);
  EXPECT_EQ(sampler.micro_batch_max(), 2);
}

TEST(SamplerTest, RefusesImpossibleOptions) {
  auto refusal = [](const SamplerOptions& options) {
    const auto sampler = Sampler::Create(options);
    EXPECT_EQ(sampler.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(sampler.status().message());
  };
  EXPECT_THAT(refusal({.sample_count = 0, .batch_size = 1}), HasSubstr("0 samples"));
  EXPECT_THAT(refusal({.sample_count = 1, .batch_size = 0}), HasSubstr("batch_size is 0"));
  EXPECT_THAT(refusal({.sample_count = 9, .batch_size = 2, .shards = 3}),
              HasSubstr("shards is 3: it must be 1 to batch_size (2)"));
  EXPECT_THAT(refusal({.sample_count = 9, .batch_size = 2, .shards = 0}), HasSubstr("shards is 0"));
}

}  // namespace
}  // namespace baton::trainer
