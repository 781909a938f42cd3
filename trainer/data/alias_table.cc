#include "trainer/data/alias_table.h"

#include <algorithm>

#include "common/check.h"

namespace baton::trainer {

AliasTable::AliasTable(absl::Span<const double> odds) {
  BATON_CHECK(!odds.empty(), "nothing to draw from");
  double sum = 0;
  for (const double odd : odds) sum += odd;
  BATON_CHECK(sum > 0, "no odds at all");
  constexpr double kWhole = 0x1p32;
  std::vector<double> left;  // of a column's height, 1 on average
  std::vector<uint32_t> low, high;
  for (size_t i = 0; i < odds.size(); ++i) {
    left.push_back(odds[i] / sum * static_cast<double>(odds.size()));
    (left[i] < 1 ? low : high).push_back(static_cast<uint32_t>(i));
    columns_.push_back({0, static_cast<uint32_t>(i)});
  }
  while (!low.empty() && !high.empty()) {
    const uint32_t small = low.back(), large = high.back();
    low.pop_back();
    columns_[small] = {static_cast<uint32_t>(std::max(left[small], 0.0) * kWhole), large};
    left[large] -= 1 - left[small];
    if (left[large] >= 1) continue;
    high.pop_back();
    low.push_back(large);
  }
}

}  // namespace baton::trainer
