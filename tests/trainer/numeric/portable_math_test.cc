#include "trainer/numeric/portable_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/random.h"

namespace baton::trainer {
namespace {

TEST(PortableMathTest, ExponentialIsThatOfLibm) {
  EXPECT_EQ(Exponential(0), 1);
  Random random(1);
  for (int i = 0; i < 100000; ++i) {
    const double x = -static_cast<double>(random.Below(700000000)) * 1e-6;
    EXPECT_NEAR(Exponential(x) / std::exp(x), 1, 1e-15) << x;
  }
  for (double x : {-1e-300, -0.34657, -0.34658, -0.69314718055994531, -1.0, -699.999}) {
    EXPECT_NEAR(Exponential(x) / std::exp(x), 1, 1e-15) << x;
  }
  EXPECT_EQ(Exponential(-701), 0);
  EXPECT_EQ(Exponential(-std::numeric_limits<double>::infinity()), 0);
  EXPECT_TRUE(std::isnan(Exponential(NAN)));
}

TEST(PortableMathTest, LogarithmIsThatOfLibm) {
  EXPECT_EQ(Logarithm(1), 0);
  Random random(2);
  for (int i = 0; i < 100000; ++i) {
    const double x = 1 + static_cast<double>(random.Below(1 << 30)) * 1e-5;
    EXPECT_NEAR(Logarithm(x), std::log(x), 4e-16 * (1 + std::log(x))) << x;
  }
  EXPECT_NEAR(Logarithm(1 + 1e-15), 1.1102230246251559e-15, 1e-25);
  EXPECT_TRUE(std::isnan(Logarithm(NAN)));
}

TEST(PortableMathTest, CosineIsThatOfLibm) {
  for (int i = 0; i <= 1000; ++i) {
    const double x = i / 1000.0;
    EXPECT_NEAR(CosinePi(x), std::cos(3.14159265358979323846 * x), 4e-15) << x;
  }
  EXPECT_EQ(CosinePi(0), 1);
  EXPECT_EQ(CosinePi(1), -1);
}

}  // namespace
}  // namespace baton::trainer
