#include "trainer/data/counter_random.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace baton::trainer {
namespace {

// Known answers of the Random123 library (kat_vectors, philox4x32-10).
TEST(PhiloxTest, KnownAnswers) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStreamTest, EveryNameMakesAnotherStream) {
  std::set<uint32_t> first;
  int streams = 0;
  for (uint64_t seed : {0, 1, 2})
    for (RandomPurpose purpose :
         {RandomPurpose::kInitialize, RandomPurpose::kShuffle, RandomPurpose::kTrain})
      for (uint64_t a : {0, 1, 7})
        for (uint64_t b : {0, 1, 7})
          for (uint64_t c : {0, 1, 7}) {
            const RandomStream stream = RandomStream::Make(seed, purpose, a, b, c);
            first.insert(stream.Bits(0));
            first.insert(stream.Derive(0).Bits(0));
            first.insert(stream.Derive(1).Bits(0));
            streams += 3;
          }
  // 729 of 2^32 values: two alike would be a chance of 1 in 16,000.
  EXPECT_EQ(first.size(), static_cast<size_t>(streams));
}

TEST(RandomStreamTest, NumbersHaveNoOrderOfDrawing) {
  const RandomStream stream = RandomStream::Make(3, RandomPurpose::kTrain);
  RandomSequence sequence(stream);
  std::vector<uint32_t> in_order;
  for (int i = 0; i < 11; ++i) in_order.push_back(sequence.Next());
  for (int i = 10; i >= 0; --i) EXPECT_EQ(stream.Bits(i), in_order[i]);
}

TEST(RandomStreamTest, ManyBlocksAreThoseOfOneByOne) {
  const RandomStream stream = RandomStream::Make(3, RandomPurpose::kTrain);
  for (const uint64_t first : {uint64_t{0}, uint64_t{5}, uint64_t{0xfffffffe}, uint64_t{1} << 40}) {
    const auto numbers = stream.Blocks(first);
    for (size_t i = 0; i < numbers.size(); ++i) {
      EXPECT_EQ(numbers[i], stream.Bits(4 * first + i)) << first << " + " << i;
    }
  }
}

TEST(RandomSequenceTest, PeekIsWhatComes) {
  RandomSequence sequence(RandomStream::Make(6, RandomPurpose::kTrain), 9);
  const uint32_t third = sequence.Peek(2);
  sequence.Next();
  sequence.Next();
  EXPECT_EQ(sequence.Next(), third);
  EXPECT_EQ(sequence.Peek(1000), 0u) << "not made yet";
}

TEST(RandomStreamTest, UnitIsBelowOne) {
  EXPECT_EQ(RandomStream::ToUnit(0), 0.0f);
  EXPECT_LT(RandomStream::ToUnit(0xffffffff), 1.0f);
  EXPECT_EQ(RandomStream::ToUnit(0x80000000), 0.5f);
}

TEST(RandomSequenceTest, BelowIsUniform) {
  RandomSequence sequence(RandomStream::Make(4, RandomPurpose::kTrain));
  std::vector<int> hits(7);
  for (int i = 0; i < 70000; ++i) ++hits[sequence.Below(7)];
  for (int count : hits) EXPECT_NEAR(count, 10000, 470);  // five standard deviations
  EXPECT_EQ(sequence.Below(1), 0u);
}

}  // namespace
}  // namespace baton::trainer
