// The parts of an estimate against what the arithmetic says; the whole is held against real runs in
// tests/trainer/process.
#include "common/spec/memory.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/spec/parse.h"

namespace baton::spec {
namespace {

NativeSpec Spec(const std::string& optimizer, int64_t batch, int64_t shards) {
  return *ParseText(absl::StrCat("epochs: 1\nbatch_size: ", batch, "\nshards: ", shards,
                                 "\noptimizer: {", optimizer,
                                 "}\ndata: {format: csv, train: t.csv, target: y}\nmodel: {input: "
                                 "[1000], loss: mean_squared_error, layers: [dense: 999, relu, "
                                 "dense: {out: 1, bias: false}]}\n"),
                    "s.yaml")
              ->native;
}

constexpr int64_t kWeights = 4 * (1000 * 999 + 999 + 999);

TEST(Memory, PartsAreThoseOfTheModel) {
  const auto adam = EstimateMemory(Spec("name: adam, lr: 0.1", 256, 4), {.ranks = 2, .threads = 9});
  ASSERT_TRUE(adam.ok());
  EXPECT_EQ(adam->weights, kWeights);
  EXPECT_EQ(adam->optimizer, 2 * kWeights);
  EXPECT_EQ(adam->gradients, (2 + 3) * kWeights);
  EXPECT_EQ(adam->checkpoint, 4 * kWeights);
  // Two threads, for a rank has two shards; 64 samples forward, three of the largest values
  // backward, and the first layer's weights once more; relu keeps nothing.
  EXPECT_EQ(adam->activations, 2 * 4 * ((1000 + 999 + 1) * 64 + 3 * 999 * 64 + 1000 * 999 + 999));
  const auto sgd = EstimateMemory(Spec("name: sgd, lr: 0.1", 256, 4), {});
  EXPECT_EQ(sgd->optimizer, 0);
  EXPECT_EQ(sgd->gradients, (4 + 1) * kWeights);
  EXPECT_EQ(EstimateMemory(Spec("name: sgd, lr: 0.1", 256, 1), {})->gradients, kWeights);
  EXPECT_EQ(EstimateMemory(Spec("name: sgd, lr: 0.1, momentum: 0.9", 256, 4), {})->optimizer,
            kWeights);
}

TEST(Memory, TestsOfLargeSamplesComeInSmallBlocks) {
  NativeSpec spec = Spec("name: sgd, lr: 0.1", 1, 1);
  spec.model.inputs[0].shape = {1 << 20};
  const int64_t values = (1 << 20) + 999 + 1;  // 4 MiB a sample: 15 of them take 64 MiB
  const int64_t weights = (int64_t{1} << 20) * 999 + 999;
  EXPECT_EQ(EstimateMemory(spec, {})->activations, 4 * (15 * values + 3 * 999 + weights));
}

TEST(Memory, TheBatchThatFitsIsTheLargest) {
  const NativeSpec spec = Spec("name: sgd, lr: 0.1", 1 << 20, 4);
  const RankShape shape{.ranks = 1, .threads = 2, .data_bytes = 0};
  const int64_t limit = int64_t{1} << 30;
  const int64_t batch = BatchThatFits(spec, shape, limit);
  ASSERT_GT(batch, 0);
  EXPECT_EQ(batch % 4, 0);
  NativeSpec other = spec;
  other.batch_size = batch;
  EXPECT_LE(EstimateMemory(other, shape)->host(), limit);
  other.batch_size = batch + 4;
  EXPECT_GT(EstimateMemory(other, shape)->host(), limit);
  EXPECT_EQ(BatchThatFits(spec, shape, int64_t{1} << 50), 1 << 20);
  EXPECT_EQ(BatchThatFits(spec, shape, 1 << 20), 0);
}

TEST(Memory, TheBatchThatFitsACardIsTheLargest) {
  const NativeSpec spec = Spec("name: sgd, lr: 0.1", 1 << 20, 4);
  const RankShape shape{.ranks = 1, .threads = 2, .data_bytes = 0};
  const int64_t card = int64_t{4} << 30;
  const int64_t batch = BatchThatFitsCard(spec, shape, card);
  ASSERT_GT(batch, 0);
  NativeSpec other = spec;
  other.batch_size = batch;
  EXPECT_LE(EstimateMemory(other, shape)->device, card);
  other.batch_size = batch + 4;
  EXPECT_GT(EstimateMemory(other, shape)->device, card);
  EXPECT_EQ(BatchThatFitsCard(spec, shape, 1 << 20), 0);
}

}  // namespace
}  // namespace baton::spec
