#include "trainer/backend/cpu/portable_math.h"

#include <bit>
#include <cstdint>

namespace baton::trainer::cpu {

namespace {

// log(2) in two parts: the first has 32 bits, so its product with an exponent is exact.
constexpr double kLog2High = 0x1.62e42feep-1;
constexpr double kLog2Low = 0x1.a39ef35793c76p-33;

}  // namespace

double Exponential(double x) {
  if (!(x >= -700)) return x != x ? x : 0;
  // x = k * log(2) + r with |r| <= log(2) / 2; 14 terms of the series of e^r reach the last bit.
  const auto k = static_cast<int64_t>(x * 1.4426950408889634 - 0.5);
  const double r = (x - k * kLog2High) - k * kLog2Low;
  double sum = 1;
  for (int term = 14; term >= 1; --term) sum = 1 + sum * r / term;
  return sum * std::bit_cast<double>(static_cast<uint64_t>(1023 + k) << 52);
}

double Logarithm(double x) {
  if (!(x <= 0x1p53)) return x;  // not a number, of a run that diverged, stays visible
  // x = m * 2^k with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s), s = (m - 1) / (m + 1).
  const auto bits = std::bit_cast<uint64_t>(x);
  int64_t k = static_cast<int64_t>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xfffffffffffffu) | (uint64_t{1023} << 52));
  if (m > 1.4142135623730951) {
    m /= 2;
    ++k;
  }
  const double s = (m - 1) / (m + 1);
  const double square = s * s;
  double sum = 0;
  for (int power = 23; power >= 1; power -= 2) sum = 1.0 / power + sum * square;
  return k * kLog2High + (k * kLog2Low + 2 * s * sum);
}

}  // namespace baton::trainer::cpu
