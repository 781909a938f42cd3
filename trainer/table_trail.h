// A running digest of what a training did to its sparse tables: each step adds the rows that it
// changed, so that its cost is that of the step and not of the tables. Two ranks whose tables were
// equal once and whose trails are equal now have computed the same; a row that went bad by itself
// shows when it is next touched.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trainer/backend/row_gradient.h"

namespace baton::trainer {

class TableTrail {
 public:
  explicit TableTrail(uint64_t head = 0) : head_(head) {}

  // After an update: `table` is the first weight of the table with rows `ids`.
  void Add(const RowGradient& changed, const float* table, size_t width);

  uint64_t head() const { return head_; }

 private:
  uint64_t head_;
};

}  // namespace baton::trainer
