// Every operation's gradient on the reference backend against finite differences of its own loss.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "trainer/backend/reference/reference_backend.h"
#include "trainer/layer/network.h"

namespace baton::trainer {
namespace {

struct Case {
  const char* name;
  spec::Shape input;
  std::vector<spec::LayerOp> ops;
};

spec::Model ModelOf(const Case& c) {
  spec::Model model;
  model.inputs = {{spec::kModelInput, c.input}};
  for (size_t i = 0; i < c.ops.size(); ++i) {
    model.layers.push_back({"layer" + std::to_string(i), {}, c.ops[i]});
  }
  return model;
}

class GradientTest : public ::testing::TestWithParam<Case> {};

// Central differences in the weights: d loss / d w is about (L(w + h) - L(w - h)) / 2h. The layers
// before the tested one see its data gradient, so each case starts with one that has weights.
TEST_P(GradientTest, AgreesWithFiniteDifferences) {
  const spec::Model model = ModelOf(GetParam());
  const auto backend = CreateReferenceBackend();
  auto network = Network::Create(model, *backend, 3);
  ASSERT_TRUE(network.ok()) << network.status();
  std::vector<float> weights((*network)->parameter_count());
  ASSERT_TRUE(InitializeParameters(model, 11, weights.data()).ok());
  RandomSequence random(RandomStream::Make(12, RandomPurpose::kTrain));
  Batch batch;
  batch.count = 3;
  int64_t sample_size = 1;
  for (int64_t extent : model.inputs[0].shape) sample_size *= extent;
  for (int64_t i = 0; i < 3 * sample_size; ++i) {
    batch.values.push_back(2 * RandomStream::ToUnit(random.Next()) - 1);
  }
  batch.labels = {0, 2, 1};

  const RandomStream stream = RandomStream::Make(13, RandomPurpose::kTrain);
  const float scale = 1.0f / 3;
  std::vector<float> gradient(weights.size()), ignored(weights.size());
  auto loss = [&](float* out) {
    const auto result = (*network)->Train(weights.data(), batch, scale, stream, out);
    EXPECT_TRUE(result.ok()) << result.status();
    return result->loss_sum * scale;
  };
  loss(gradient.data());

  double largest = 0;
  for (float value : gradient) largest = std::max<double>(largest, std::fabs(value));
  ASSERT_GT(largest, 1e-3);
  auto measure = [&](size_t i, float step) {
    const float kept = weights[i];
    weights[i] = kept + step;
    const double above = loss(ignored.data());
    weights[i] = kept - step;
    const double below = loss(ignored.data());
    weights[i] = kept;
    return (above - below) / (2 * static_cast<double>(step));
  };
  // Float forward passes leave about 1e-7 / step; the curvature adds step squared.
  const double tolerance = 2e-3 * largest + 2e-4;
  size_t kinks = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double measured = measure(i, 1.0f / 1024);
    if (std::fabs(measured - gradient[i]) <= tolerance) continue;
    // Where ReLU or max pooling has a kink inside the step, two steps disagree.
    const double wider = measure(i, 1.0f / 512), narrower = measure(i, 1.0f / 2048);
    EXPECT_GT(std::fabs(wider - narrower), tolerance / 2)
        << "weight " << i << ": " << measured << " is not " << gradient[i];
    ++kinks;
  }
  EXPECT_LE(kinks, weights.size() / 12);
}

INSTANTIATE_TEST_SUITE_P(
    Layers, GradientTest,
    ::testing::Values(
        Case{"dense", {5}, {spec::Dense{4}, spec::Dense{3}}},
        Case{"relu", {6}, {spec::Dense{8}, spec::Activation{}, spec::Dense{3}}},
        Case{"relu_alone",
             {6},
             {spec::Dense{8}, spec::Dropout{0}, spec::Activation{}, spec::Dense{3}}},
        Case{"dropout", {6}, {spec::Dense{9}, spec::Dropout{0.3}, spec::Dense{3}}},
        Case{"conv",
             {2, 6, 5},
             {spec::Conv{3, 3, 1, 1}, spec::Conv{2, 2, 1, 0}, spec::Flatten{}, spec::Dense{3}}},
        Case{"conv_strided",
             {1, 9, 8},
             {spec::Conv{2, 3, 1, 0}, spec::Conv{3, 3, 2, 2}, spec::Flatten{}, spec::Dense{3}}},
        Case{"max_pool",
             {1, 8, 8},
             {spec::Conv{2, 3, 1, 1}, spec::MaxPool{2, 2, 0}, spec::Flatten{}, spec::Dense{3}}},
        Case{"max_pool_overlapping",
             {1, 7, 9},
             {spec::Conv{2, 3, 1, 1}, spec::MaxPool{3, 2, 1}, spec::Flatten{}, spec::Dense{3}}},
        Case{"relu_behind_max_pool",
             {1, 8, 8},
             {spec::Conv{3, 3, 1, 1}, spec::Activation{}, spec::MaxPool{2, 2, 0}, spec::Flatten{},
              spec::Dense{3}}}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace baton::trainer
