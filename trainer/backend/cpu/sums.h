// Sums in an order that vectors can follow and that never changes: the compiler may not reorder
// them by itself.
#pragma once

#include <cstdint>

namespace baton::trainer::cpu {

// The sum of term(0) .. term(count - 1): eight partial sums side by side, then the rest.
template <class Term>
inline float SumOf(int64_t count, const Term& term) {
  constexpr int kLanes = 8;
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  for (; i < count; ++i) lanes[0] += term(i);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}

// The largest value of term(0) .. term(count - 1), count > 0; one that is not a number may be
// passed over.
template <class Term>
inline float LargestOf(int64_t count, const Term& term) {
  constexpr int kLanes = 8;
  float lanes[kLanes];
  for (float& lane : lanes) lane = term(0);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = term(i + lane) > lanes[lane] ? term(i + lane) : lanes[lane];
    }
  }
  for (; i < count; ++i) lanes[0] = term(i) > lanes[0] ? term(i) : lanes[0];
  for (int lane = 1; lane < kLanes; ++lane) {
    lanes[0] = lanes[lane] > lanes[0] ? lanes[lane] : lanes[0];
  }
  return lanes[0];
}

}  // namespace baton::trainer::cpu
