// Functions from basic operations alone, so that the bits do not depend on which variant libm picks
// for the CPU it finds.
#pragma once

#include <bit>
#include <cstdint>

namespace baton::trainer {

// log(2) in two parts: the first has 32 bits, so its product with an exponent is exact.
inline constexpr double kLog2High = 0x1.62e42feep-1;
inline constexpr double kLog2Low = 0x1.a39ef35793c76p-33;

// e^x for x <= 0, within 4e-16 of its value; 0 below -700. Without a branch or a call, so that a
// loop over it becomes vectors at -O3; the bits are the same.
inline double Exponential(double x) {
  // x = k * log(2) + r with |r| <= log(2) / 2. Adding 1.5 * 2^52 rounds to a whole number, which
  // then lies in the last bits.
  constexpr double kRound = 0x1.8p52;
  const double bounded = x < -700 ? -700 : x;
  const double rounded = bounded * 1.4426950408889634 + kRound;
  const double k = rounded - kRound;
  const double r = (bounded - k * kLog2High) - k * kLog2Low;
  // 13 terms of the series of e^r reach the last bit.
  double sum = 1.0 / 6227020800;
  sum = sum * r + 1.0 / 479001600;
  sum = sum * r + 1.0 / 39916800;
  sum = sum * r + 1.0 / 3628800;
  sum = sum * r + 1.0 / 362880;
  sum = sum * r + 1.0 / 40320;
  sum = sum * r + 1.0 / 5040;
  sum = sum * r + 1.0 / 720;
  sum = sum * r + 1.0 / 120;
  sum = sum * r + 1.0 / 24;
  sum = sum * r + 1.0 / 6;
  sum = sum * r + 0.5;
  sum = sum * (r * r) + r + 1;
  const uint64_t power = std::bit_cast<uint64_t>(rounded) - std::bit_cast<uint64_t>(kRound);
  const double value = sum * std::bit_cast<double>((power + 1023) << 52);
  return x < -700 ? 0 : value;
}

// Natural logarithm of x in [1, 2^53], within 4e-16 absolute plus relative. Becomes vectors, as
// Exponential does.
inline double Logarithm(double x) {
  // x = m * 2^k with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s), s = (m - 1) / (m + 1).
  const auto bits = std::bit_cast<uint64_t>(x);
  // An exponent in the last bits of 2^52: the way to a double for which every CPU has vectors.
  constexpr double kWhole = 0x1p52;
  const double exponent = std::bit_cast<double>((bits >> 52) | std::bit_cast<uint64_t>(kWhole));
  const double mantissa = std::bit_cast<double>((bits & 0xfffffffffffffu) | (uint64_t{1023} << 52));
  const bool high = mantissa > 1.4142135623730951;
  const double m = high ? mantissa * 0.5 : mantissa;
  const double k = (exponent - kWhole) - (high ? 1022.0 : 1023.0);
  const double s = (m - 1) / (m + 1);
  const double square = s * s;
  double sum = 1.0 / 23;
  sum = 1.0 / 21 + sum * square;
  sum = 1.0 / 19 + sum * square;
  sum = 1.0 / 17 + sum * square;
  sum = 1.0 / 15 + sum * square;
  sum = 1.0 / 13 + sum * square;
  sum = 1.0 / 11 + sum * square;
  sum = 1.0 / 9 + sum * square;
  sum = 1.0 / 7 + sum * square;
  sum = 1.0 / 5 + sum * square;
  sum = 1.0 / 3 + sum * square;
  sum = 1 + sum * square;
  const double value = k * kLog2High + (k * kLog2Low + 2 * s * sum);
  return x <= 0x1p53 ? value : x;  // not a number, of a run that diverged, stays visible
}

// cos(pi * x) for x in [0, 1], within 2e-15.
double CosinePi(double x);

}  // namespace baton::trainer
