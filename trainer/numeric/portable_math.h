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

// Natural logarithm of x in [1, 2^53], within 4e-16 absolute plus relative.
double Logarithm(double x);

// cos(pi * x) for x in [0, 1], within 2e-15.
double CosinePi(double x);

}  // namespace baton::trainer
