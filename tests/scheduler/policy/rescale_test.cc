#include "scheduler/policy/rescale.h"

#include <gtest/gtest.h>

namespace baton::policy {
namespace {

// The definition, word by word: the highest V / ceil(V / P) in reach, then the smallest P with it.
int32_t Naive(const WorldRange& range, int32_t reachable) {
  int32_t best = 0;
  int32_t best_length = 0;
  for (int32_t p = range.ranks_min; p <= range.ranks_max && p <= reachable; ++p) {
    if (range.shards > 0 && p > range.shards) break;
    if (p % range.unit != 0) continue;
    const int32_t length = range.shards > 0 ? (range.shards + p - 1) / p : range.ranks_max - p;
    if (best != 0 && length >= best_length) continue;
    best = p;
    best_length = length;
  }
  return best;
}

TEST(ChooseWorldSize, AgreesWithTheDefinition) {
  for (int32_t v = 0; v <= 17; ++v) {
    for (int32_t low = 1; low <= 17; ++low) {
      for (int32_t high = low; high <= 17; ++high) {
        for (int32_t reachable = 0; reachable <= 18; ++reachable) {
          const WorldRange range = {.ranks_min = low, .ranks_max = high, .shards = v};
          ASSERT_EQ(ChooseWorldSize(range, reachable), Naive(range, reachable))
              << "V=" << v << " " << low << ".." << high << " of " << reachable;
        }
      }
    }
  }
}

TEST(ChooseWorldSize, WithSoManyOnEachNodeAgreesWithTheDefinition) {
  for (int32_t unit = 2; unit <= 4; ++unit) {
    for (int32_t v : {0, 8, 12, 16}) {
      for (int32_t low = unit; low <= 16; low += unit) {
        for (int32_t high = low; high <= 16; high += unit) {
          for (int32_t reachable = 0; reachable <= 18; ++reachable) {
            const WorldRange range = {
                .ranks_min = low, .ranks_max = high, .shards = v, .unit = unit};
            ASSERT_EQ(ChooseWorldSize(range, reachable), Naive(range, reachable))
                << "V=" << v << " " << low << ".." << high << " by " << unit << " of " << reachable;
          }
        }
      }
    }
  }
}

TEST(ChooseWorldSize, AtEightShardsSkipsWhatIsNoFaster) {
  const WorldRange range = {.ranks_min = 1, .ranks_max = 8, .shards = 8};
  const int32_t expected[] = {0, 1, 2, 3, 4, 4, 4, 4, 8};
  for (int32_t p = 0; p <= 8; ++p) EXPECT_EQ(ChooseWorldSize(range, p), expected[p]) << p;
}

TEST(ChooseWorldSize, AnExactNumberIsGiven) {
  EXPECT_EQ(ChooseWorldSize({.ranks_min = 5, .ranks_max = 5, .shards = 8}, 8), 5);
}

}  // namespace
}  // namespace baton::policy
