// The canonical order in which the gradients of V logical shards are added: a binary tree over the
// shards in which n leaves split at the largest power of two below n. Float addition is not
// associative, so this order, never the number of ranks, decides the bits of a training
// (trainer/DESIGN.md, "Canonical sum"). Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace baton::trainer {

// A node of the tree, or any contiguous run of shards: [first, first + count).
struct ShardRange {
  int first = 0;
  int count = 0;

  int end() const { return first + count; }
  friend bool operator==(const ShardRange& a, const ShardRange& b) {
    return a.first == b.first && a.count == b.count;
  }
};

// Leaves in the left subtree of a node with `leaves` >= 2 leaves.
int LeftLeaves(int leaves);

// The largest nodes of the tree over `shards` leaves that lie wholly within `run`, left to right:
// what a rank that holds `run` can add up alone. At most about 2 log2(shards) of them.
std::vector<ShardRange> OwnedNodes(int shards, ShardRange run);

// Adds vectors in the order of one node of the tree.
class TreeSum {
 public:
  // `inputs` are the nodes whose sums are given, left to right; they must tile `node`, each being a
  // node of the tree below it (a leaf is one). Broken promises end the process.
  TreeSum(ShardRange node, absl::Span<const ShardRange> inputs);

  // sum[i] = the inputs' values at i, added in tree order, for i < count. `inputs` has one pointer
  // per input, in order. `sum` may be one of them but must not overlap any other way. Does not
  // allocate; the same bits however the range is cut into calls. Thread-safe.
  void Add(const float* const* inputs, size_t count, float* sum) const;

  // The same for inputs at equal distances: input k begins at base + k * stride.
  void AddStrided(const float* base, size_t stride, size_t count, float* sum) const;

  size_t input_count() const { return input_count_; }
  // The tree in postfix: true pushes the next input, false adds the two topmost.
  const std::vector<bool>& program() const { return program_; }

 private:
  void Plan(ShardRange node, absl::Span<const ShardRange>& inputs);
  template <typename Input>
  void Run(const Input& input, size_t count, float* sum) const;

  std::vector<bool> program_;
  size_t input_count_ = 0;
};

}  // namespace baton::trainer
