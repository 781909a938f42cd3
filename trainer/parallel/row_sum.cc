#include "trainer/parallel/row_sum.h"

#include <algorithm>
#include <cstdint>

#include "common/check.h"

namespace baton::trainer {
namespace {

// The row is +0 on the other side; what that changes is a -0.
void AddNothing(const float* row, size_t width, float* sum) {
  for (size_t c = 0; c < width; ++c) sum[c] = row[c] + 0.0f;
}

void AddRows(const float* left, const float* right, size_t width, float* sum) {
  for (size_t c = 0; c < width; ++c) sum[c] = left[c] + right[c];
}

void Merge(const RowGradient& left, const RowGradient& right, size_t width, RowGradient* sum) {
  const size_t rows_max = left.ids.size() + right.ids.size();
  sum->ids.resize(rows_max);
  sum->values.resize(rows_max * width);
  int32_t* id = sum->ids.data();
  float* row = sum->values.data();
  size_t l = 0, r = 0;
  for (; l < left.ids.size() || r < right.ids.size(); ++id, row += width) {
    const bool has_left =
        l < left.ids.size() && (r == right.ids.size() || left.ids[l] <= right.ids[r]);
    const bool has_right =
        r < right.ids.size() && (l == left.ids.size() || right.ids[r] <= left.ids[l]);
    *id = has_left ? left.ids[l] : right.ids[r];
    const float* left_row = left.values.data() + l * width;
    const float* right_row = right.values.data() + r * width;
    if (has_left && has_right) {
      AddRows(left_row, right_row, width, row);
    } else {
      AddNothing(has_left ? left_row : right_row, width, row);
    }
    l += has_left ? 1 : 0;
    r += has_right ? 1 : 0;
  }
  sum->ids.resize(static_cast<size_t>(id - sum->ids.data()));
  sum->values.resize(sum->ids.size() * width);
}

}  // namespace

void RowSum::Add(const TreeSum& tree, absl::Span<const RowGradient* const> inputs, size_t width,
                 RowGradient* sum) {
  BATON_CHECK(inputs.size() == tree.input_count(), "inputs of another tree");
  if (inputs.size() == 1) {
    *sum = *inputs[0];
    return;
  }
  partial_.resize(std::max(partial_.size(), 2 * inputs.size()));
  std::vector<const RowGradient*> open;
  size_t next = 0;
  for (const bool push : tree.program()) {
    if (push) {
      open.push_back(inputs[next++]);
      continue;
    }
    const RowGradient* right = open.back();
    open.pop_back();
    const RowGradient* left = open.back();
    const size_t slot = 2 * (open.size() - 1);
    const bool last = open.size() == 1 && next == inputs.size();
    RowGradient* out = last ? sum : &partial_[left == &partial_[slot] ? slot + 1 : slot];
    Merge(*left, *right, width, out);
    open.back() = out;
  }
}

}  // namespace baton::trainer
