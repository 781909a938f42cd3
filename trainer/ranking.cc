#include "trainer/ranking.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include "common/check.h"

namespace baton::trainer {

double AreaUnderCurve(absl::Span<const double> scores, absl::Span<const uint8_t> marks) {
  BATON_CHECK(scores.size() == marks.size(), "a mark for each score");
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  // Pairs won, in halves: whole numbers, so the order of equals does not matter.
  uint64_t halves = 0, marked = 0, others = 0;
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    uint64_t here[2] = {0, 0};
    while (end < order.size() && scores[order[end]] == scores[order[begin]]) {
      ++here[marks[order[end++]]];
    }
    halves += here[1] * (2 * others + here[0]);
    others += here[0];
    marked += here[1];
    begin = end;
  }
  if (marked == 0 || others == 0) return 0.5;
  return static_cast<double>(halves) / 2 / static_cast<double>(marked) /
         static_cast<double>(others);
}

}  // namespace baton::trainer
