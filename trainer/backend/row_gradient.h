// The gradient of a table of which a step touches few rows.
#pragma once

#include <cstdint>
#include <vector>

namespace baton::trainer {

struct RowGradient {
  std::vector<int32_t> ids;   // of the rows that are touched, rising, each once
  std::vector<float> values;  // (ids, width), row-major

  void Clear() {
    ids.clear();
    values.clear();
  }
};

}  // namespace baton::trainer
