// The contract of the backend port: every operation of the CPU backend against the plain loops, on
// random shapes. Another shape each time: BATON_TEST_SEED=N build/debug/tests/trainer_backend_test
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "common/random.h"
#include "tests/trainer/backend/random_operation.h"
#include "trainer/backend/backend.h"
#include "trainer/backend/cpu/cpu_backend.h"
#include "trainer/backend/reference/reference_backend.h"

namespace baton::trainer {
namespace {

uint64_t Seed() {
  const char* given = std::getenv("BATON_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
}

Results Computed(Backend& backend, const Inputs& inputs) {
  absl::StatusOr<Results> results = Compute(backend, inputs);
  EXPECT_TRUE(results.ok()) << results.status();
  return *std::move(results);
}

void ExpectClose(const std::vector<float>& got, const std::vector<float>& want, double terms) {
  ASSERT_EQ(got.size(), want.size());
  const double tolerance = Tolerance(want, terms);
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], tolerance) << "at " << i << " of " << got.size();
  }
}

template <class Shape>
class OperationTest : public ::testing::Test {};

template <class Variant>
struct TypesOf;
template <class... Shapes>
struct TypesOf<std::variant<Shapes...>> {
  using type = ::testing::Types<Shapes...>;
};
// Every operation there is: a new one is held to the contract without a line here.
TYPED_TEST_SUITE(OperationTest, TypesOf<OperationShape>::type);

TYPED_TEST(OperationTest, CpuAgreesWithTheReferenceOnRandomShapes) {
  const uint64_t seed = Seed();
  std::cout << "seed " << seed << " (BATON_TEST_SEED replays it)\n";
  Random random(seed);
  const auto cpu = CreateCpuBackend(), reference = CreateReferenceBackend();
  for (int round = 0; round < 40; ++round) {
    const OperationShape operation = RandomOperation(random, TypeParam{});
    const int64_t count = round % 4 == 0 ? 1 : random.Between(1, 9);
    SCOPED_TRACE("round " + std::to_string(round) + " " + Text(operation, count));
    Inputs inputs = RandomInputs(random, operation, count);
    Results got = Computed(*cpu, inputs), want = Computed(*reference, inputs);
    const size_t kinks = SilenceKinks(got, want, &inputs);
    ASSERT_LE(kinks, 1 + inputs.dy.size() / 100);
    if (kinks > 0) got = Computed(*cpu, inputs), want = Computed(*reference, inputs);
    const Sums sums = SumsOf(inputs);
    ExpectClose(got.y, want.y, sums.y);
    for (size_t i = 0; i < want.dx.size(); ++i) ExpectClose(got.dx[i], want.dx[i], sums.dx);
    ExpectClose(got.weights_gradient, want.weights_gradient, sums.weights);
    if (this->HasFatalFailure() || this->HasFailure()) return;
  }
}

TYPED_TEST(OperationTest, CpuGivesTheSameBitsInAFreshStream) {
  Random random(Seed() + 1);
  const auto cpu = CreateCpuBackend();
  for (int round = 0; round < 5; ++round) {
    const OperationShape operation = RandomOperation(random, TypeParam{});
    const Inputs inputs = RandomInputs(random, operation, random.Between(1, 9));
    const Results first = Computed(*cpu, inputs), second = Computed(*cpu, inputs);
    EXPECT_EQ(first.y, second.y);
    EXPECT_EQ(first.dx, second.dx);
    EXPECT_EQ(first.weights_gradient, second.weights_gradient);
  }
}

TEST(DropoutTest, KeepsAboutTheRestAndScalesIt) {
  const auto cpu = CreateCpuBackend();
  Inputs inputs{DropoutOperation{{10000}, 0.25f},
                1,
                {std::vector<float>(10000, 3.0f)},
                {},
                std::vector<float>(10000, 1.0f)};
  const Results results = Computed(*cpu, inputs);
  const auto kept = std::count(results.y.begin(), results.y.end(), 4.0f);
  const auto dropped = std::count(results.y.begin(), results.y.end(), 0.0f);
  EXPECT_EQ(kept + dropped, 10000);
  EXPECT_NEAR(static_cast<double>(kept), 7500, 220);  // five standard deviations
  for (size_t i = 0; i < results.dx[0].size(); ++i) {
    ASSERT_EQ(results.dx[0][i] != 0, results.y[i] != 0);
  }
}

TEST(MaxPoolTest, TiesGiveTheGradientToTheFirst) {
  for (const auto& backend : {CreateCpuBackend(), CreateReferenceBackend()}) {
    const MaxPoolOperation pool{{1, 2, 4}, {1, 1, 2}, {2, 2}, {2, 2}, {0, 0}, Activation::kNone};
    const Inputs inputs{pool, 1, {{1, 1, 0, 2, 1, 1, 2, 2}}, {}, {5, 7}};
    const Results results = Computed(*backend, inputs);
    EXPECT_EQ(results.y, (std::vector<float>{1, 2})) << backend->name();
    EXPECT_EQ(results.dx[0], (std::vector<float>{5, 0, 0, 7, 0, 0, 0, 0})) << backend->name();
  }
}

TEST(ConvTest, KnownNumbers) {
  for (const auto& backend : {CreateCpuBackend(), CreateReferenceBackend()}) {
    // One 2x2 filter over a 3x3 image, bias 10.
    ConvOperation conv;
    conv.in = {1, 3, 3};
    conv.out = {1, 2, 2};
    conv.kernel = {2, 2};
    const Inputs inputs{conv, 1, {{1, 2, 3, 4, 5, 6, 7, 8, 9}}, {1, 0, 0, -1, 10}, {1, 0, 0, 2}};
    const Results results = Computed(*backend, inputs);
    EXPECT_EQ(results.y, (std::vector<float>{6, 6, 6, 6})) << backend->name();
    EXPECT_EQ(results.dx[0], (std::vector<float>{1, 0, 0, 0, 1, 0, 0, 0, -2})) << backend->name();
    EXPECT_EQ(results.weights_gradient, (std::vector<float>{11, 14, 20, 23, 3})) << backend->name();
  }
}

}  // namespace
}  // namespace baton::trainer
