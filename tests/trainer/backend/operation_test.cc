// The contract of the backend port: every operation of the CPU backend against the plain loops, on
// random shapes. Another shape each time: BATON_TEST_SEED=N build/debug/tests/trainer_backend_test
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/random.h"
#include "trainer/backend/backend.h"
#include "trainer/backend/cpu/cpu_backend.h"
#include "trainer/backend/reference/reference_backend.h"

namespace baton::trainer {
namespace {

uint64_t Seed() {
  const char* given = std::getenv("BATON_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
}

SampleShape RandomImage(Random& random) {
  return {random.Between(1, 20), random.Between(1, 17), random.Between(1, 17)};
}

Activation RandomActivation(Random& random) {
  return random.Chance(1, 2) ? Activation::kRelu : Activation::kNone;
}

int64_t Window(int64_t in, int64_t kernel, int64_t stride, int64_t padding) {
  return (in + 2 * padding - kernel) / stride + 1;
}

// One maker per operation: what a new one has to add here.
OperationShape MakeShape(Random& random, const ConvOperation&) {
  ConvOperation conv;
  conv.in = RandomImage(random);
  conv.padding = random.Between(0, 3);
  conv.kernel =
      random.Between(1, std::min<int64_t>(7, std::min(conv.in[1], conv.in[2]) + 2 * conv.padding));
  conv.stride = random.Between(1, 3);
  conv.out = {random.Between(1, 35), Window(conv.in[1], conv.kernel, conv.stride, conv.padding),
              Window(conv.in[2], conv.kernel, conv.stride, conv.padding)};
  conv.activation = RandomActivation(random);
  return conv;
}

OperationShape MakeShape(Random& random, const MaxPoolOperation&) {
  MaxPoolOperation pool;
  pool.in = RandomImage(random);
  pool.kernel = random.Between(1, std::min<int64_t>(4, std::min(pool.in[1], pool.in[2])));
  pool.padding = random.Between(0, pool.kernel / 2);
  pool.stride = random.Between(1, 4);
  pool.out = {pool.in[0], Window(pool.in[1], pool.kernel, pool.stride, pool.padding),
              Window(pool.in[2], pool.kernel, pool.stride, pool.padding)};
  pool.activation = RandomActivation(random);
  return pool;
}

OperationShape MakeShape(Random& random, const ReluOperation&) {
  return ReluOperation{RandomImage(random)};
}

OperationShape MakeShape(Random& random, const DenseOperation&) {
  DenseOperation dense;
  dense.in = random.Chance(1, 2) ? SampleShape{random.Between(1, 300)} : RandomImage(random);
  dense.out = {random.Between(1, 150)};
  dense.activation = RandomActivation(random);
  return dense;
}

OperationShape MakeShape(Random& random, const DropoutOperation&) {
  const float rates[] = {0.0f, 0.1f, 0.5f, 0.99f};
  return DropoutOperation{
      random.Chance(1, 2) ? SampleShape{random.Between(1, 99)} : RandomImage(random),
      rates[random.Below(4)]};
}

std::string Text(const OperationShape& operation, int64_t count) {
  std::string text = "count " + std::to_string(count) + " in";
  for (int64_t extent : InputShape(operation)) text += " " + std::to_string(extent);
  text += " out";
  for (int64_t extent : OutputShape(operation)) text += " " + std::to_string(extent);
  if (const auto* conv = std::get_if<ConvOperation>(&operation)) {
    text += " kernel " + std::to_string(conv->kernel) + " stride " + std::to_string(conv->stride) +
            " padding " + std::to_string(conv->padding);
  }
  if (const auto* pool = std::get_if<MaxPoolOperation>(&operation)) {
    text += " kernel " + std::to_string(pool->kernel) + " stride " + std::to_string(pool->stride) +
            " padding " + std::to_string(pool->padding);
  }
  return text;
}

// `levels` > 0: multiples of 1/levels, so that a window has ties.
std::vector<float> RandomValues(Random& random, int64_t count, int64_t levels = 0) {
  std::vector<float> values(count);
  for (float& value : values) {
    value = levels > 0
                ? static_cast<float>(random.Between(-levels, levels)) / static_cast<float>(levels)
                : static_cast<float>(random.Between(-1000000, 1000000)) * 1e-6f;
  }
  return values;
}

struct Results {
  std::vector<float> y, dx, weights_gradient;
};

struct Inputs {
  OperationShape operation;
  int64_t count;
  std::vector<float> x, weights, dy;
};

void CheckOk(const absl::Status& status) {
  BATON_CHECK(status.ok(), std::string(status.message()));
}

// Forward and backward once.
Results Compute(Backend& backend, const Inputs& inputs) {
  auto stream = backend.CreateStream();
  CheckOk(stream.status());
  const SampleShape in = InputShape(inputs.operation), out = OutputShape(inputs.operation);
  auto operation = (*stream)->CreateOperation(inputs.operation, inputs.count);
  CheckOk(operation.status());
  const auto x = (*stream)->CreateTensor(in, inputs.count);
  const auto dx = (*stream)->CreateTensor(in, inputs.count);
  const auto y = (*stream)->CreateTensor(out, inputs.count);
  const auto dy = (*stream)->CreateTensor(out, inputs.count);
  Results results;
  results.y.resize(inputs.dy.size());
  results.dx.resize(inputs.x.size());
  results.weights_gradient.assign(inputs.weights.size(), NAN);

  const int64_t count = inputs.count;
  CheckOk((*stream)->Upload(inputs.x.data(), count, x.get()));
  CheckOk((*operation)
              ->Forward({.count = count,
                         .pass = Pass::kTrain,
                         .weights = inputs.weights.data(),
                         .stream = RandomStream::Make(5, RandomPurpose::kTrain),
                         .x = x.get(),
                         .y = y.get()}));
  CheckOk((*stream)->Upload(inputs.dy.data(), count, dy.get()));
  CheckOk((*operation)
              ->Backward({.count = count,
                          .weights = inputs.weights.data(),
                          .x = x.get(),
                          .y = y.get(),
                          .dy = dy.get(),
                          .dx = dx.get(),
                          .weights_gradient = results.weights_gradient.data()}));
  CheckOk((*stream)->Download(*y, count, results.y.data()));
  CheckOk((*stream)->Download(*dx, count, results.dx.data()));
  return results;
}

// Sums of n products in another order differ by about sqrt(n) roundings of the largest partial sum.
void ExpectClose(const std::vector<float>& got, const std::vector<float>& want, double terms) {
  ASSERT_EQ(got.size(), want.size());
  double scale = 1;
  for (float value : want) scale = std::max(scale, std::fabs(double{value}));
  const double tolerance = 1e-6 * scale * std::sqrt(terms + 4);
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], tolerance) << "at " << i << " of " << got.size();
  }
}

// Where rounding put an output on the other side of zero, clipping lets another gradient pass: no
// gradient goes in there. Returns how many outputs that were.
size_t SilenceKinks(const Results& a, const Results& b, Inputs* inputs) {
  size_t kinks = 0;
  for (size_t i = 0; i < a.y.size(); ++i) {
    if ((a.y[i] > 0) == (b.y[i] > 0)) continue;
    inputs->dy[i] = 0;
    ++kinks;
  }
  return kinks;
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

Inputs MakeInputs(Random& random, OperationShape operation, int64_t count) {
  const int64_t in = count * ElementCount(InputShape(operation));
  const int64_t out = count * ElementCount(OutputShape(operation));
  const int64_t weights = WeightCount(operation) + BiasCount(operation);
  const int64_t levels = random.Chance(1, 2) ? 3 : 0;
  Inputs inputs{std::move(operation), count, {}, {}, {}};
  inputs.x = RandomValues(random, in, levels);
  inputs.weights = RandomValues(random, weights);
  inputs.dy = RandomValues(random, out);
  return inputs;
}

TYPED_TEST(OperationTest, CpuAgreesWithTheReferenceOnRandomShapes) {
  const uint64_t seed = Seed();
  std::cout << "seed " << seed << " (BATON_TEST_SEED replays it)\n";
  Random random(seed);
  const auto cpu = CreateCpuBackend(), reference = CreateReferenceBackend();
  for (int round = 0; round < 40; ++round) {
    const OperationShape operation = MakeShape(random, TypeParam{});
    const int64_t count = round % 4 == 0 ? 1 : random.Between(1, 9);
    SCOPED_TRACE("round " + std::to_string(round) + " " + Text(operation, count));
    Inputs inputs = MakeInputs(random, operation, count);
    Results got = Compute(*cpu, inputs), want = Compute(*reference, inputs);
    const size_t kinks = SilenceKinks(got, want, &inputs);
    ASSERT_LE(kinks, 1 + inputs.dy.size() / 100);
    if (kinks > 0) got = Compute(*cpu, inputs), want = Compute(*reference, inputs);
    const double in = static_cast<double>(ElementCount(InputShape(operation)));
    const double out = static_cast<double>(ElementCount(OutputShape(operation)));
    ExpectClose(got.y, want.y, in);
    ExpectClose(got.dx, want.dx, out);
    ExpectClose(got.weights_gradient, want.weights_gradient, static_cast<double>(count) * out);
    if (this->HasFatalFailure() || this->HasFailure()) return;
  }
}

TYPED_TEST(OperationTest, CpuGivesTheSameBitsInAFreshStream) {
  Random random(Seed() + 1);
  const auto cpu = CreateCpuBackend();
  for (int round = 0; round < 5; ++round) {
    const OperationShape operation = MakeShape(random, TypeParam{});
    const Inputs inputs = MakeInputs(random, operation, random.Between(1, 9));
    const Results first = Compute(*cpu, inputs), second = Compute(*cpu, inputs);
    EXPECT_EQ(first.y, second.y);
    EXPECT_EQ(first.dx, second.dx);
    EXPECT_EQ(first.weights_gradient, second.weights_gradient);
  }
}

TEST(DropoutTest, KeepsAboutTheRestAndScalesIt) {
  const auto cpu = CreateCpuBackend();
  Inputs inputs{DropoutOperation{{10000}, 0.25f},
                1,
                std::vector<float>(10000, 3.0f),
                {},
                std::vector<float>(10000, 1.0f)};
  const Results results = Compute(*cpu, inputs);
  const auto kept = std::count(results.y.begin(), results.y.end(), 4.0f);
  const auto dropped = std::count(results.y.begin(), results.y.end(), 0.0f);
  EXPECT_EQ(kept + dropped, 10000);
  EXPECT_NEAR(static_cast<double>(kept), 7500, 220);  // five standard deviations
  for (size_t i = 0; i < results.dx.size(); ++i) {
    ASSERT_EQ(results.dx[i] != 0, results.y[i] != 0);
  }
}

TEST(MaxPoolTest, TiesGiveTheGradientToTheFirst) {
  for (const auto& backend : {CreateCpuBackend(), CreateReferenceBackend()}) {
    const MaxPoolOperation pool{{1, 2, 4}, {1, 1, 2}, 2, 2, 0, Activation::kNone};
    const Inputs inputs{pool, 1, {1, 1, 0, 2, 1, 1, 2, 2}, {}, {5, 7}};
    const Results results = Compute(*backend, inputs);
    EXPECT_EQ(results.y, (std::vector<float>{1, 2})) << backend->name();
    EXPECT_EQ(results.dx, (std::vector<float>{5, 0, 0, 7, 0, 0, 0, 0})) << backend->name();
  }
}

TEST(ConvTest, KnownNumbers) {
  for (const auto& backend : {CreateCpuBackend(), CreateReferenceBackend()}) {
    // One 2x2 filter over a 3x3 image, bias 10.
    const ConvOperation conv{{1, 3, 3}, {1, 2, 2}, 2, 1, 0, Activation::kNone};
    const Inputs inputs{conv, 1, {1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 0, 0, -1, 10}, {1, 0, 0, 2}};
    const Results results = Compute(*backend, inputs);
    EXPECT_EQ(results.y, (std::vector<float>{6, 6, 6, 6})) << backend->name();
    EXPECT_EQ(results.dx, (std::vector<float>{1, 0, 0, 0, 1, 0, 0, 0, -2})) << backend->name();
    EXPECT_EQ(results.weights_gradient, (std::vector<float>{11, 14, 20, 23, 3})) << backend->name();
  }
}

}  // namespace
}  // namespace baton::trainer
