#include "trainer/numeric/portable_math.h"

namespace baton::trainer {

namespace {

constexpr double kPi = 3.14159265358979323846;

}  // namespace

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
