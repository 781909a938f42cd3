// Functions of a float from basic operations alone, without a branch or a table: a loop over them
// becomes vectors at -O3, and the bits depend neither on the vectors nor on libm. NaN stays NaN.
#pragma once

#include <bit>
#include <cstdint>

namespace baton::trainer {

// e^x within 2e-7 of its value; below -87 and above 88 that of the bound.
inline float FloatExponential(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  // x = k * log(2) + r with |r| <= log(2) / 2. Adding 1.5 * 2^23 rounds to a whole number, which
  // then lies in the last bits; a conversion would be undefined for NaN.
  constexpr float kRound = 12582912.0f;
  const float rounded = x * 1.44269504f + kRound;
  const float k = rounded - kRound;
  const float r = (x - k * 0.693359375f) - k * -2.12194440e-4f;
  // e^r = 1 + r + r^2 * p(r): the coefficients of Cephes' expf (Moshier, 1992).
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const uint32_t power = std::bit_cast<uint32_t>(rounded) - std::bit_cast<uint32_t>(kRound);
  return p * std::bit_cast<float>((power + 127u) << 23);
}

// 1 / (1 + e^-x) within 3e-7 of its value for x > -87.
inline float FloatSigmoid(float x) { return 1.0f / (1.0f + FloatExponential(-x)); }

// tanh(x) within 5e-7 of its value. An odd rational function of degree 13 by 6, the one of Eigen
// and XLA.
inline float FloatTanh(float x) {
  x = x < -7.90531111f ? -7.90531111f : x;
  x = x > 7.90531111f ? 7.90531111f : x;
  const float s = x * x;
  float p = -2.76076847742355e-16f;
  p = p * s + 2.00018790482477e-13f;
  p = p * s + -8.60467152213735e-11f;
  p = p * s + 5.12229709037114e-08f;
  p = p * s + 1.48572235717979e-05f;
  p = p * s + 6.37261928875436e-04f;
  p = p * s + 4.89352455891786e-03f;
  float q = 1.19825839466702e-06f;
  q = q * s + 1.18534705686654e-04f;
  q = q * s + 2.26843463243900e-03f;
  q = q * s + 4.89352518554385e-03f;
  return x * p / q;
}

// e^x - 1 within 1e-6 of its value for x <= 0, however small: e^x - 1 = 2 t / (1 - t) of t =
// tanh(x / 2).
inline float FloatExponentialMinusOne(float x) {
  const float t = FloatTanh(0.5f * x);
  return 2.0f * t / (1.0f - t);
}

// erf(x) within 6e-7 of its value. An odd rational function of degree 13 by 8, the one of Eigen and
// XLA.
inline float FloatErf(float x) {
  x = x < -4.0f ? -4.0f : x;
  x = x > 4.0f ? 4.0f : x;
  const float s = x * x;
  float p = -2.72614225801306e-10f;
  p = p * s + 2.77068142495902e-08f;
  p = p * s + -2.10102402082508e-06f;
  p = p * s + -5.69250639462346e-05f;
  p = p * s + -7.34990630326855e-04f;
  p = p * s + -2.95459980854025e-03f;
  p = p * s + -1.60960333262415e-02f;
  float q = -1.45660718464996e-05f;
  q = q * s + -2.13374055278905e-04f;
  q = q * s + -1.68282697438203e-03f;
  q = q * s + -7.37332916720468e-03f;
  q = q * s + -1.42647390514189e-02f;
  return x * p / q;
}

}  // namespace baton::trainer
