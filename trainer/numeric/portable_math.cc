#include "trainer/numeric/portable_math.h"

#include <bit>
#include <cstdint>

namespace baton::trainer {

namespace {

constexpr double kPi = 3.14159265358979323846;

}  // namespace

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

// The Taylor series of cosine or sine about 0 with the angle brought into [0, pi / 4], where ten
// terms are below the last bit.
double CosinePi(double x) {
  if (x > 0.5) return -CosinePi(1 - x);
  const bool by_sine = x > 0.25;
  const double angle = kPi * (by_sine ? 0.5 - x : x);
  double term = by_sine ? angle : 1;
  double sum = term;
  for (int k = by_sine ? 2 : 1; k < 20; k += 2) {
    term = -term * (angle * angle) / (k * (k + 1));
    sum += term;
  }
  return sum;
}

}  // namespace baton::trainer
