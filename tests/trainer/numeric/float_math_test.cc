#include "trainer/numeric/float_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/random.h"

namespace baton::trainer {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// `bound` is of the relative error, over random and evenly spaced x in [low, high].
template <class Function, class Want>
void ExpectWithin(double bound, float low, float high, const Function& function, const Want& want) {
  Random random(1);
  for (int i = 0; i <= 200000; ++i) {
    const double share =
        i % 2 == 0 ? i / 200000.0
                   : static_cast<double>(random.Below(1 << 30)) / static_cast<double>(1 << 30);
    const auto x = static_cast<float>(low + (double{high} - double{low}) * share);
    const double exact = want(double{x});
    ASSERT_NEAR(function(x), exact, bound * std::fabs(exact)) << x;
  }
}

TEST(FloatMathTest, ExponentialIsThatOfLibm) {
  const auto want = [](double x) { return std::exp(x); };
  ExpectWithin(2e-7, -87, 88, FloatExponential, want);
  ExpectWithin(2e-7, -1, 1, FloatExponential, want);
  EXPECT_EQ(FloatExponential(0), 1);
  EXPECT_EQ(FloatExponential(-kInfinity), FloatExponential(-87));
  EXPECT_EQ(FloatExponential(kInfinity), FloatExponential(88));
  EXPECT_TRUE(std::isnan(FloatExponential(NAN)));
}

TEST(FloatMathTest, SigmoidIsThatOfLibm) {
  const auto want = [](double x) { return 1 / (1 + std::exp(-x)); };
  ExpectWithin(3e-7, -87, 87, FloatSigmoid, want);
  ExpectWithin(3e-7, -3, 3, FloatSigmoid, want);
  EXPECT_EQ(FloatSigmoid(0), 0.5f);
  EXPECT_EQ(FloatSigmoid(kInfinity), 1);
  EXPECT_LT(FloatSigmoid(-kInfinity), 1e-37f);
  EXPECT_TRUE(std::isnan(FloatSigmoid(NAN)));
}

TEST(FloatMathTest, TanhIsThatOfLibm) {
  const auto want = [](double x) { return std::tanh(x); };
  ExpectWithin(5e-7, -10, 10, FloatTanh, want);
  ExpectWithin(5e-7, -1e-3f, 1e-3f, FloatTanh, want);
  EXPECT_EQ(FloatTanh(0), 0);
  EXPECT_NEAR(FloatTanh(kInfinity), 1, 5e-7);
  EXPECT_NEAR(FloatTanh(-kInfinity), -1, 5e-7);
  EXPECT_TRUE(std::isnan(FloatTanh(NAN)));
}

TEST(FloatMathTest, ExponentialMinusOneIsThatOfLibm) {
  const auto want = [](double x) { return std::expm1(x); };
  ExpectWithin(1e-6, -20, 0, FloatExponentialMinusOne, want);
  ExpectWithin(1e-6, -1e-3f, 0, FloatExponentialMinusOne, want);
  EXPECT_NEAR(FloatExponentialMinusOne(-kInfinity), -1, 1e-6);
  EXPECT_TRUE(std::isnan(FloatExponentialMinusOne(NAN)));
}

TEST(FloatMathTest, ErfIsThatOfLibm) {
  const auto want = [](double x) { return std::erf(x); };
  ExpectWithin(6e-7, -6, 6, FloatErf, want);
  ExpectWithin(6e-7, -1e-3f, 1e-3f, FloatErf, want);
  EXPECT_NEAR(FloatErf(kInfinity), 1, 6e-7);
  EXPECT_NEAR(FloatErf(-kInfinity), -1, 6e-7);
  EXPECT_TRUE(std::isnan(FloatErf(NAN)));
}

}  // namespace
}  // namespace baton::trainer
