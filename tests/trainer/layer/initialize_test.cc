#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "common/hash.h"
#include "tests/trainer/lenet.h"
#include "trainer/layer/network.h"

namespace baton::trainer {
namespace {

TEST(ParametersTest, LeNetInGraphOrderWeightBeforeBias) {
  const auto parameters = ModelParameters(LeNet());
  ASSERT_TRUE(parameters.ok()) << parameters.status();
  ASSERT_EQ(parameters->size(), 10u);
  EXPECT_EQ((*parameters)[0].name, "conv1.weight");
  EXPECT_EQ((*parameters)[0].shape, (std::vector<int64_t>{6, 1, 5, 5}));
  EXPECT_EQ((*parameters)[1].name, "conv1.bias");
  EXPECT_EQ((*parameters)[4].name, "dense1.weight");
  EXPECT_EQ((*parameters)[4].shape, (std::vector<int64_t>{120, 400}));
  size_t offset = 0;
  for (const Parameter& parameter : *parameters) {
    EXPECT_EQ(parameter.offset, offset) << parameter.name;
    offset += parameter.count;
  }
  EXPECT_EQ(offset, 61706u);
}

TEST(InitializeTest, KaimingUniformPerTensor) {
  const auto parameters = ModelParameters(LeNet());
  std::vector<float> weights(61706, NAN);
  ASSERT_TRUE(InitializeParameters(LeNet(), 7, weights.data()).ok());
  const double fan_in[] = {25, 25, 150, 150, 400, 400, 120, 120, 84, 84};
  for (size_t p = 0; p < parameters->size(); ++p) {
    const Parameter& parameter = (*parameters)[p];
    const double bound = 1 / std::sqrt(fan_in[p]);
    double sum = 0, squares = 0;
    for (size_t i = parameter.offset; i < parameter.offset + parameter.count; ++i) {
      ASSERT_LE(std::fabs(weights[i]), bound * 1.0000001) << parameter.name;
      sum += weights[i];
      squares += double{weights[i]} * weights[i];
    }
    // U(-b, b) has mean 0 and variance b^2 / 3; five standard errors of each.
    const auto n = static_cast<double>(parameter.count);
    const double variance = bound * bound / 3;
    EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(variance / n)) << parameter.name;
    EXPECT_NEAR(squares / n, variance, 5 * std::sqrt(0.8 / n) * variance) << parameter.name;
  }
}

// The digest holds on every platform: it may change only with the definition of a run.
TEST(InitializeTest, PureInTheSeed) {
  std::vector<float> a(61706), b(61706), c(61706);
  ASSERT_TRUE(InitializeParameters(LeNet(), 1, a.data()).ok());
  ASSERT_TRUE(InitializeParameters(LeNet(), 1, b.data()).ok());
  ASSERT_TRUE(InitializeParameters(LeNet(), 2, c.data()).ok());
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
  EXPECT_EQ(Xxh3(a.data(), a.size() * sizeof(float)), 11671474336340377925u);
}

}  // namespace
}  // namespace baton::trainer
