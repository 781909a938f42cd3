#include "trainer/data/prefetch.h"

#include <gtest/gtest.h>

#include <atomic>

#include "common/random.h"

namespace baton::trainer {
namespace {

// Two inputs of 2 and 1 values; counts what it is asked for.
class Counting : public Dataset {
 public:
  explicit Counting(std::atomic<int>* filled) : filled_(filled) {}
  int64_t count() const override { return 1000; }
  const std::vector<int64_t>& sample_sizes() const override { return sizes_; }
  void Fill(absl::Span<const uint32_t> indices, const RandomStream* random,
            Batch* batch) const override {
    *batch = {};
    batch->count = static_cast<int64_t>(indices.size());
    for (const uint32_t index : indices) {
      const float drawn =
          random == nullptr ? 0 : RandomStream::ToUnit(random->Derive(index).Bits(0));
      batch->values.push_back(static_cast<float>(index) + drawn);
      batch->values.push_back(static_cast<float>(index) + 0.5f);
      batch->labels.push_back(static_cast<int32_t>(index % 7));
      batch->targets.push_back(static_cast<float>(index) * 2);
    }
    for (const uint32_t index : indices) batch->values.push_back(-static_cast<float>(index));
    *filled_ += static_cast<int>(indices.size());
  }
  std::string digest() const override { return "d"; }
  std::vector<std::string> labels() const override { return {"a", "b"}; }

 private:
  const std::vector<int64_t> sizes_{2, 1};
  std::atomic<int>* filled_;
};

void ExpectSame(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.values, b.values);
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_EQ(a.targets, b.targets);
}

TEST(PrefetchTest, AnyBatchIsWhatItWouldBeWithout) {
  const uint64_t seed = 20261127;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  std::atomic<int> filled{0}, unused{0};
  const Counting plain(&unused);
  const PrefetchDataset ahead(std::make_unique<Counting>(&filled), 3);
  int64_t asked = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<uint32_t> indices(random.Below(20));
    for (uint32_t& index : indices) index = static_cast<uint32_t>(random.Below(1000));
    const RandomStream stream = RandomStream::Make(random.Below(3), RandomPurpose::kSamples);
    const RandomStream* draws = random.Chance(1, 3) ? nullptr : &stream;
    if (random.Chance(3, 4)) ahead.Expect(indices, draws);
    Batch mine, theirs;
    ahead.Fill(indices, draws, &mine);
    plain.Fill(indices, draws, &theirs);
    ExpectSame(mine, theirs);
    asked += static_cast<int64_t>(indices.size());
  }
  EXPECT_EQ(filled, asked) << "each sample is filled once";
  EXPECT_EQ(ahead.labels(), plain.labels());
}

TEST(PrefetchTest, AnotherStreamIsAnotherBatch) {
  std::atomic<int> filled{0}, unused{0};
  const Counting plain(&unused);
  const PrefetchDataset ahead(std::make_unique<Counting>(&filled), 1);
  const RandomStream one = RandomStream::Make(1, RandomPurpose::kSamples);
  const RandomStream two = RandomStream::Make(2, RandomPurpose::kSamples);
  ahead.Expect({5, 6}, &one);
  Batch mine, theirs;
  for (const RandomStream* draws : {&two, static_cast<const RandomStream*>(nullptr), &one}) {
    ahead.Fill({5, 6}, draws, &mine);
    plain.Fill({5, 6}, draws, &theirs);
    ExpectSame(mine, theirs);
  }
}

// As when a rank gets other shards: what it expected would take the room of what it will ask for.
TEST(PrefetchTest, WhatIsForgottenIsFilledAnewWhenAskedFor) {
  std::atomic<int> filled{0}, unused{0};
  const Counting plain(&unused);
  const PrefetchDataset ahead(std::make_unique<Counting>(&filled), 2);
  for (int round = 0; round < 100; ++round) {
    ahead.Expect({1, 2}, nullptr);
    ahead.Expect({3, 4}, nullptr);
    ahead.Forget();
    ahead.Expect({5, 6}, nullptr);
    for (const std::vector<uint32_t>& indices :
         std::vector<std::vector<uint32_t>>{{3, 4}, {5, 6}, {1, 2}}) {
      Batch mine, theirs;
      ahead.Fill(indices, nullptr, &mine);
      plain.Fill(indices, nullptr, &theirs);
      ExpectSame(mine, theirs);
    }
  }
}

TEST(PrefetchTest, WhatNobodyFetchesIsDroppedWithIt) {
  std::atomic<int> filled{0};
  const PrefetchDataset ahead(std::make_unique<Counting>(&filled), 2);
  for (uint32_t i = 0; i < 50; ++i) ahead.Expect({i, i + 1, i + 2}, nullptr);
}

}  // namespace
}  // namespace baton::trainer
