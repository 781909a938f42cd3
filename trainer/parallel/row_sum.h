// The canonical sum (tree_sum.h) of gradients that have rows: a row that a shard does not have is
// +0 there, as it is in the dense gradient, so the bits are those of the dense sum.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "trainer/backend/row_gradient.h"
#include "trainer/parallel/tree_sum.h"

namespace baton::trainer {

// Keeps the memory of partial sums. Thread-compatible.
class RowSum {
 public:
  // `*sum` becomes the sum of the inputs in the tree's order, which it is none of; it has the rows
  // that any of them has.
  void Add(const TreeSum& tree, absl::Span<const RowGradient* const> inputs, size_t width,
           RowGradient* sum);

 private:
  std::vector<RowGradient> partial_;  // two for each open sum: one is read while one is written
};

}  // namespace baton::trainer
