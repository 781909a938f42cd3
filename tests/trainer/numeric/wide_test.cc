#include "trainer/numeric/wide.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "common/random.h"
#include "trainer/numeric/portable_math.h"

namespace baton::trainer {
namespace {

// What the trainer's wide loops are made of: products added in eight sums, a root, a quotient, and
// an own function.
inline void Mixed(const float* a, const float* b, size_t count, float* out, double* powers) {
  float lanes[8] = {};
  for (size_t i = 0; i + 8 <= count; i += 8) {
    for (size_t lane = 0; lane < 8; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
  }
  for (size_t i = 0; i < count; ++i) {
    out[i] = a[i] * b[i] + lanes[i % 8] / (std::sqrt(std::abs(b[i])) + 1e-8f);
    powers[i] = Logarithm(1 + Exponential(-std::abs(double{a[i]})));
  }
}

void Narrow(const float* a, const float* b, size_t count, float* out, double* powers) {
  Mixed(a, b, count, out, powers);
}

BATON_WIDE void Wide(const float* a, const float* b, size_t count, float* out, double* powers) {
  Mixed(a, b, count, out, powers);
}

TEST(WideTest, GivesTheBitsOfNarrowVectors) {
  Random random(1);
  for (const size_t count : {1, 7, 8, 100, 1003}) {
    std::vector<float> a, b;
    for (size_t i = 0; i < count; ++i) {
      a.push_back(static_cast<float>(random.Below(1 << 24)) * 1e-6f - 8);
      b.push_back(static_cast<float>(random.Below(1 << 24)) * 1e-7f - 0.8f);
    }
    std::vector<float> narrow(count), wide(count);
    std::vector<double> narrow_powers(count), wide_powers(count);
    Narrow(a.data(), b.data(), count, narrow.data(), narrow_powers.data());
    Wide(a.data(), b.data(), count, wide.data(), wide_powers.data());
    EXPECT_EQ(std::memcmp(narrow.data(), wide.data(), count * sizeof(float)), 0);
    EXPECT_EQ(std::memcmp(narrow_powers.data(), wide_powers.data(), count * sizeof(double)), 0);
  }
}

}  // namespace
}  // namespace baton::trainer
