#include "trainer/parallel/tree_sum.h"

#include <cstring>

#include "common/random.h"
#include "gtest/gtest.h"
#include "trainer/parallel/shard_plan.h"

namespace baton::trainer {
namespace {

using Vector = std::vector<float>;

// The definition, as short as it can be said.
Vector NaiveSum(const std::vector<Vector>& leaves, int first, int count) {
  if (count == 1) return leaves[first];
  int left = 1;
  while (left * 2 < count) left *= 2;
  Vector sum = NaiveSum(leaves, first, left);
  const Vector right = NaiveSum(leaves, first + left, count - left);
  for (size_t i = 0; i < sum.size(); ++i) sum[i] = sum[i] + right[i];
  return sum;
}

// Magnitudes far apart, so that any other order of additions gives other bits.
std::vector<Vector> RandomLeaves(int count, size_t size, uint64_t seed) {
  Random random(seed);
  std::vector<Vector> leaves(count, Vector(size));
  for (Vector& leaf : leaves) {
    for (float& value : leaf) {
      const double unit = static_cast<double>(random.Between(-1000000, 1000000)) / 1e6;
      value = static_cast<float>(unit * static_cast<double>(1 << random.Below(20)));
    }
  }
  return leaves;
}

bool SameBits(const Vector& a, const Vector& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(TreeSumTest, SplitsAtTheLargestPowerOfTwoBelow) {
  EXPECT_EQ(LeftLeaves(2), 1);
  EXPECT_EQ(LeftLeaves(3), 2);
  EXPECT_EQ(LeftLeaves(4), 2);
  EXPECT_EQ(LeftLeaves(5), 4);
  EXPECT_EQ(LeftLeaves(8), 4);
  EXPECT_EQ(LeftLeaves(9), 8);
  EXPECT_EQ(LeftLeaves(17), 16);
}

// Each rank adds the nodes that it owns, then the nodes of all ranks are added: for every number
// of ranks the bits are those of the whole tree.
TEST(TreeSumTest, EveryWorldSizeGivesTheBitsOfTheWholeTree) {
  constexpr size_t kSize = 1100;  // more than two blocks, and not a whole number of them
  for (int shards = 1; shards <= 17; ++shards) {
    const std::vector<Vector> leaves = RandomLeaves(shards, kSize, 1000 + shards);
    const Vector expected = NaiveSum(leaves, 0, shards);
    for (int ranks = 1; ranks <= shards; ++ranks) {
      std::vector<ShardRange> roots;
      std::vector<Vector> sums;
      for (int rank = 0; rank < ranks; ++rank) {
        for (const ShardRange& node : OwnedNodes(shards, RunOf(shards, ranks, rank))) {
          std::vector<ShardRange> single;
          std::vector<const float*> inputs;
          for (int shard = node.first; shard < node.end(); ++shard) {
            single.push_back({shard, 1});
            inputs.push_back(leaves[shard].data());
          }
          Vector sum(kSize);
          TreeSum(node, single).Add(inputs.data(), kSize, sum.data());
          roots.push_back(node);
          sums.push_back(sum);
        }
      }
      std::vector<const float*> inputs;
      for (const Vector& sum : sums) inputs.push_back(sum.data());
      Vector total(kSize);
      TreeSum({0, shards}, roots).Add(inputs.data(), kSize, total.data());
      EXPECT_TRUE(SameBits(total, expected)) << "V=" << shards << " P=" << ranks;
    }
  }
}

// Guards the test above: had the leaves been so tame that order does not matter, it would prove
// nothing.
TEST(TreeSumTest, AnotherOrderWouldGiveOtherBits) {
  const std::vector<Vector> leaves = RandomLeaves(8, 1000, 7);
  Vector in_sequence = leaves[0];
  for (int shard = 1; shard < 8; ++shard) {
    for (size_t i = 0; i < 1000; ++i) in_sequence[i] += leaves[shard][i];
  }
  EXPECT_FALSE(SameBits(in_sequence, NaiveSum(leaves, 0, 8)));
}

TEST(TreeSumTest, CutsAndStridesDoNotChangeBits) {
  constexpr size_t kSize = 1500;
  const std::vector<Vector> leaves = RandomLeaves(5, kSize, 11);
  const Vector expected = NaiveSum(leaves, 0, 5);
  Vector flat;
  for (const Vector& leaf : leaves) flat.insert(flat.end(), leaf.begin(), leaf.end());
  const std::vector<ShardRange> single = {{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}};
  const TreeSum tree({0, 5}, single);
  Vector sum(kSize);
  for (size_t start = 0; start < kSize; start += 37) {
    const size_t count = std::min<size_t>(37, kSize - start);
    tree.AddStrided(flat.data() + start, kSize, count, sum.data() + start);
  }
  EXPECT_TRUE(SameBits(sum, expected));
}

TEST(TreeSumTest, TheSumMayReplaceAnInput) {
  std::vector<Vector> leaves = RandomLeaves(4, 600, 13);
  const Vector expected = NaiveSum(leaves, 0, 4);
  std::vector<const float*> inputs;
  for (const Vector& leaf : leaves) inputs.push_back(leaf.data());
  const std::vector<ShardRange> single = {{0, 1}, {1, 1}, {2, 1}, {3, 1}};
  TreeSum({0, 4}, single).Add(inputs.data(), 600, leaves[2].data());
  EXPECT_TRUE(SameBits(leaves[2], expected));
}

TEST(TreeSumTest, OwnedNodesTileTheRun) {
  for (int shards = 1; shards <= 40; ++shards) {
    for (int first = 0; first < shards; ++first) {
      for (int count = 1; first + count <= shards; ++count) {
        int next = first;
        for (const ShardRange& node : OwnedNodes(shards, {first, count})) {
          EXPECT_EQ(node.first, next);
          next = node.end();
        }
        EXPECT_EQ(next, first + count);
      }
    }
  }
}

}  // namespace
}  // namespace baton::trainer
