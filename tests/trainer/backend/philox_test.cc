// The random numbers that cards draw are those of the streams.
#include "trainer/backend/cuda/philox.h"

#include <bit>

#include "gtest/gtest.h"
#include "trainer/data/counter_random.h"

namespace baton::trainer {
namespace {

TEST(PhiloxTest, CardsDrawTheNumbersOfTheStream) {
  for (uint64_t seed : {0, 1, 77}) {
    const RandomStream stream = RandomStream::Make(seed, RandomPurpose::kTrain, 3).Derive(5);
    const auto key = std::bit_cast<uint64_t>(stream);
    for (uint64_t index : {0ULL, 1ULL, 2ULL, 3ULL, 4ULL, 1023ULL, (1ULL << 34) + 2}) {
      EXPECT_EQ(cuda::RandomUnit(key, index), RandomStream::ToUnit(stream.Bits(index))) << index;
    }
  }
}

}  // namespace
}  // namespace baton::trainer
