// Every layer's gradient on the reference backend against finite differences of its own loss, and
// on the CPU backend against the reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/trainer/layer/every_layer.h"
#include "trainer/backend/cpu/cpu_backend.h"
#include "trainer/backend/reference/reference_backend.h"
#include "trainer/layer/network.h"
#include "trainer/layer/plan.h"

namespace baton::trainer {
namespace {

constexpr int64_t kSamples = 3;
constexpr float kScale = 1.0f / kSamples;

// Multiples of a power of two: adding and taking away a step of the same kind is exact.
float Rounded(float value) { return std::round(value * 4096) / 4096; }

// Values in [-1, 1); ids where an embedding reads the input.
void FillInputs(const spec::Model& model, RandomSequence* random, Batch* batch) {
  for (const spec::ModelInput& input : model.inputs) {
    int64_t size = batch->count;
    for (const int64_t extent : input.shape) size *= extent;
    int64_t vocabulary = 0;
    for (const spec::Layer& layer : model.layers) {
      const auto* embedding = std::get_if<spec::Embedding>(&layer.op);
      const bool first = layer.inputs.empty() && &layer == model.layers.data();
      const bool reads = first || (!layer.inputs.empty() && layer.inputs[0] == input.name);
      if (embedding != nullptr && reads) vocabulary = embedding->vocabulary;
    }
    for (int64_t i = 0; i < size; ++i) {
      const float unit = RandomStream::ToUnit(random->Next());
      batch->values.push_back(vocabulary > 0 ? std::floor(unit * static_cast<float>(vocabulary))
                                             : 2 * unit - 1);
    }
  }
}

Batch RandomBatch(const spec::Model& model, int64_t count) {
  const auto plan = PlanOperations(model);
  EXPECT_TRUE(plan.ok()) << plan.status();
  RandomSequence random(RandomStream::Make(12, RandomPurpose::kTrain));
  Batch batch;
  batch.count = count;
  FillInputs(model, &random, &batch);
  const OutputLayout& layout = plan->layout;
  for (int64_t i = 0; i < count * layout.rows; ++i) {
    batch.labels.push_back(static_cast<int32_t>(random.Below(static_cast<uint32_t>(layout.width))));
  }
  for (int64_t i = 0; i < count * layout.width; ++i) {
    batch.targets.push_back(RandomStream::ToUnit(random.Next()));
  }
  return batch;
}

// A model with its weights, a batch, and its loss as a function of the weights.
struct Subject {
  Subject(const spec::Model& model, Backend& backend, int64_t count)
      : batch(RandomBatch(model, count)) {
    auto made = Network::Create(model, backend, count);
    EXPECT_TRUE(made.ok()) << made.status();
    network = *std::move(made);
    weights.resize(network->parameter_count());
    ignored.resize(weights.size());
    EXPECT_TRUE(InitializeParameters(model, 11, weights.data()).ok());
    for (float& weight : weights) weight = Rounded(weight);
  }

  double Loss(Gradient gradient) {
    const RandomStream stream = RandomStream::Make(13, RandomPurpose::kTrain);
    const auto result = network->Train(weights.data(), batch, kScale, stream, gradient);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->loss_sum * double{kScale} : 0;
  }

  // d loss / d weight i, from five points: what is left is of the fourth power of the step.
  double Measure(size_t i, float step) {
    const float kept = weights[i];
    const auto difference = [&](float by) {
      weights[i] = kept + by;
      const double above = Loss(ignored.data());
      weights[i] = kept - by;
      const double below = Loss(ignored.data());
      weights[i] = kept;
      return above - below;
    };
    return (8 * difference(step) - difference(2 * step)) / (12 * double{step});
  }

  Batch batch;
  std::unique_ptr<Network> network;
  std::vector<float> weights, ignored;
};

float LargestOf(const std::vector<float>& values, const Parameter& parameter) {
  float largest = 0;
  for (size_t i = 0; i < parameter.count; ++i) {
    largest = std::max(largest, std::fabs(values[parameter.offset + i]));
  }
  return largest;
}

class GradientTest : public ::testing::TestWithParam<LayerCase> {};

TEST_P(GradientTest, AgreesWithFiniteDifferences) {
  const auto backend = CreateReferenceBackend();
  Subject subject(GetParam().model, *backend, kSamples);
  std::vector<float> gradient(subject.weights.size(), NAN);
  subject.Loss(gradient.data());
  size_t kinks = 0, checked = 0;
  for (const Parameter& parameter : subject.network->parameters()) {
    // The "gradient" of running statistics is none (backend/operation.h).
    if (parameter.kind != Parameter::Kind::kTrained) continue;
    // The reference computes in double; its gradient is rounded once, to float.
    const double tolerance = 1e-5 * double{LargestOf(gradient, parameter)} + 1e-9;
    for (size_t i = parameter.offset; i < parameter.offset + parameter.count; ++i, ++checked) {
      const double measured = subject.Measure(i, 1.0f / 1024);
      if (std::fabs(measured - double{gradient[i]}) <= tolerance) continue;
      // Where ReLU or a largest value has a kink inside the step, another step tells otherwise.
      const double narrower = subject.Measure(i, 1.0f / 4096);
      if (std::fabs(narrower - double{gradient[i]}) <= tolerance) continue;
      EXPECT_GT(std::fabs(measured - narrower), tolerance / 2)
          << parameter.name << " at " << i - parameter.offset << ": " << measured << " is not "
          << gradient[i];
      ++kinks;
    }
  }
  EXPECT_GT(checked, 0u);
  EXPECT_LE(kinks, checked / 50);
}

TEST_P(GradientTest, OfTheCpuIsThatOfTheReference) {
  const auto cpu = CreateCpuBackend(), reference = CreateReferenceBackend();
  for (const int64_t count : {1, 3, 17}) {
    Subject fast(GetParam().model, *cpu, count), slow(GetParam().model, *reference, count);
    std::vector<float> got(fast.weights.size(), NAN), want(got.size(), NAN);
    const double loss = fast.Loss(got.data());
    EXPECT_NEAR(loss, slow.Loss(want.data()), 1e-5 * (1 + loss));
    float largest = 0;
    for (const Parameter& parameter : fast.network->parameters()) {
      largest = std::max(largest, LargestOf(want, parameter));
    }
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], want[i], 2e-5 * double{largest}) << "at " << i << " of " << count;
    }
  }
}

// What Train says is ready is the gradient's final part, before the rest is.
TEST_P(GradientTest, IsReadyFromBehind) {
  const auto backend = CreateCpuBackend();
  Subject subject(GetParam().model, *backend, kSamples);
  std::vector<float> wanted(subject.network->gradient_count(), NAN), got(wanted);
  subject.Loss(wanted.data());
  size_t last = got.size(), calls = 0;
  Gradient gradient(got.data());
  const auto ready = [&](size_t from) {
    ASSERT_LT(from, last);
    EXPECT_EQ(std::memcmp(&got[from], &wanted[from], (got.size() - from) * sizeof(float)), 0);
    last = from;
    ++calls;
  };
  gradient.ready.emplace(ready);
  subject.Loss(gradient);
  EXPECT_EQ(std::memcmp(got.data(), wanted.data(), got.size() * sizeof(float)), 0);
  EXPECT_GE(calls, 1u);  // each of the models learns in at least two places
}

INSTANTIATE_TEST_SUITE_P(Layers, GradientTest, ::testing::ValuesIn(EveryLayer()),
                         [](const auto& test) { return test.param.name; });

TEST(EveryLayerTest, HasEveryKindThereIs) {
  std::set<size_t> ops;
  std::set<spec::Activation::Kind> activations;
  std::set<spec::Loss> losses;
  for (const LayerCase& test : EveryLayer()) {
    losses.insert(test.model.loss);
    for (const spec::Layer& layer : test.model.layers) {
      ops.insert(layer.op.index());
      const auto* activation = std::get_if<spec::Activation>(&layer.op);
      if (activation != nullptr) activations.insert(activation->kind);
    }
  }
  EXPECT_EQ(ops.size(), std::variant_size_v<spec::LayerOp>);
  EXPECT_EQ(activations.size(), 7u);
  EXPECT_EQ(losses.size(), 4u);
}

}  // namespace
}  // namespace baton::trainer
