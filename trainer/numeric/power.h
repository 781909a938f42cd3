// base^exponent by squaring, exponent >= 0: basic operations only, so the same bits on every CPU,
// which std::pow does not promise.
#pragma once

#include <cstdint>

namespace baton::trainer {

inline double Power(double base, int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) result *= base;
    base *= base;
  }
  return result;
}

}  // namespace baton::trainer
