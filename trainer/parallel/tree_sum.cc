#include "trainer/parallel/tree_sum.h"

#include <algorithm>
#include <cstring>

#include "common/check.h"

namespace baton::trainer {
namespace {

// Small enough that a block of each open partial sum stays in the first-level cache.
constexpr size_t kBlockFloats = 512;
// Partial sums that are open at once: one per level of the tree, and a shard is an int.
constexpr size_t kDepthMax = 33;

void CollectOwned(ShardRange node, ShardRange run, std::vector<ShardRange>& owned) {
  if (node.end() <= run.first || run.end() <= node.first) return;
  if (run.first <= node.first && node.end() <= run.end()) {
    owned.push_back(node);
    return;
  }
  const int left = LeftLeaves(node.count);
  CollectOwned({node.first, left}, run, owned);
  CollectOwned({node.first + left, node.count - left}, run, owned);
}

}  // namespace

int LeftLeaves(int leaves) {
  BATON_CHECK(leaves >= 2, "a leaf has no left subtree");
  int left = 1;
  while (left * 2 < leaves) left *= 2;
  return left;
}

std::vector<ShardRange> OwnedNodes(int shards, ShardRange run) {
  std::vector<ShardRange> owned;
  if (run.count > 0) CollectOwned({0, shards}, run, owned);
  return owned;
}

TreeSum::TreeSum(ShardRange node, absl::Span<const ShardRange> inputs)
    : input_count_(inputs.size()) {
  Plan(node, inputs);
  BATON_CHECK(inputs.empty(), "inputs beyond the end of the node");
}

void TreeSum::Plan(ShardRange node, absl::Span<const ShardRange>& inputs) {
  BATON_CHECK(!inputs.empty(), "the inputs do not tile the node");
  if (inputs.front() == node) {
    inputs.remove_prefix(1);
    program_.push_back(true);
    return;
  }
  BATON_CHECK(node.count >= 2, "an input is not a node of the tree");
  const int left = LeftLeaves(node.count);
  Plan({node.first, left}, inputs);
  Plan({node.first + left, node.count - left}, inputs);
  program_.push_back(false);
}

template <typename Input>
void TreeSum::Run(const Input& input, size_t count, float* sum) const {
  float scratch[kDepthMax][kBlockFloats];
  const float* stack[kDepthMax];
  for (size_t start = 0; start < count; start += kBlockFloats) {
    const size_t block = std::min(kBlockFloats, count - start);
    size_t depth = 0;
    size_t next = 0;
    for (const bool push : program_) {
      if (push) {
        stack[depth++] = input(next++) + start;
        continue;
      }
      --depth;
      const float* left = stack[depth - 1];
      const float* right = stack[depth];
      float* out = scratch[depth - 1];
      // Each element depends on its own index alone, also where `out` is `left`.
#pragma GCC ivdep
      for (size_t i = 0; i < block; ++i) out[i] = left[i] + right[i];
      stack[depth - 1] = out;
    }
    // Blocks end in scratch first, so that `sum` may be an input.
    if (stack[0] != sum + start) std::memcpy(sum + start, stack[0], block * sizeof(float));
  }
}

void TreeSum::Add(const float* const* inputs, size_t count, float* sum) const {
  Run([inputs](size_t k) { return inputs[k]; }, count, sum);
}

void TreeSum::AddStrided(const float* base, size_t stride, size_t count, float* sum) const {
  Run([base, stride](size_t k) { return base + k * stride; }, count, sum);
}

}  // namespace baton::trainer
