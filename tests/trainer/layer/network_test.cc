#include "trainer/layer/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <thread>
#include <vector>

#include "common/hash.h"
#include "tests/trainer/lenet.h"
#include "trainer/backend/cpu/cpu_backend.h"
#include "trainer/backend/reference/reference_backend.h"

namespace baton::trainer {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kSeed = 20240611;

Batch RandomBatch(int64_t count, int64_t sample_size, int64_t classes, uint64_t seed) {
  RandomSequence random(RandomStream::Make(seed, RandomPurpose::kTrain));
  Batch batch;
  batch.count = count;
  for (int64_t i = 0; i < count * sample_size; ++i) {
    batch.values.push_back(RandomStream::ToUnit(random.Next()));
  }
  for (int64_t i = 0; i < count; ++i) {
    batch.labels.push_back(static_cast<int32_t>(random.Below(static_cast<uint32_t>(classes))));
  }
  return batch;
}

std::unique_ptr<Network> MakeNetwork(const spec::Model& model, Backend& backend,
                                     int64_t batch_max) {
  auto network = Network::Create(model, backend, batch_max);
  EXPECT_TRUE(network.ok()) << network.status();
  return *std::move(network);
}

std::vector<float> Weights(const spec::Model& model, const Network& network) {
  std::vector<float> weights(network.parameter_count());
  EXPECT_TRUE(InitializeParameters(model, kSeed, weights.data()).ok());
  return weights;
}

RandomStream Stream(uint64_t step = 0) {
  return RandomStream::Make(kSeed, RandomPurpose::kTrain, step);
}

uint64_t Digest(const std::vector<float>& values) {
  return Xxh3(values.data(), values.size() * sizeof(float));
}

spec::Model LeNetWithDropout() {
  spec::Model model = LeNet();
  model.layers.insert(model.layers.begin() + 9, {"drop", {}, spec::Dropout{0.4}});
  model.layers.insert(model.layers.begin() + 3, {"drop2d", {}, spec::Dropout{0.1}});
  return model;
}

// Small enough for many runs of the plain loops.
spec::Model SmallNet() {
  spec::Model model;
  model.inputs = {{spec::kModelInput, {1, 12, 12}}};
  model.layers = {{"conv1", {}, spec::Conv{3, 3, 1, 1}}, {"relu1", {}, spec::Activation{}},
                  {"pool1", {}, spec::MaxPool{2, 2, 0}}, {"conv2", {}, spec::Conv{5, 3, 1, 0}},
                  {"relu2", {}, spec::Activation{}},     {"flatten", {}, spec::Flatten{}},
                  {"dense1", {}, spec::Dense{20}},       {"relu3", {}, spec::Activation{}},
                  {"dense2", {}, spec::Dense{10}}};
  return model;
}

spec::Model SmallNetWithDropout() {
  spec::Model model = SmallNet();
  model.layers.insert(model.layers.begin() + 8, {"drop", {}, spec::Dropout{0.4}});
  model.layers.insert(model.layers.begin() + 3, {"drop2d", {}, spec::Dropout{0.1}});
  return model;
}

// Statistics of the batch, a state from position to position, and sums over what others see.
spec::Model MixedNet() {
  spec::Model model;
  model.inputs = {{spec::kModelInput, {1, 12, 12}}};
  model.layers = {{"conv", {}, spec::Conv{5, 3, 1, 1}},
                  {"norm", {}, spec::BatchNorm{}},
                  {"relu", {}, spec::Activation{}},
                  {"rows", {}, spec::Reshape{{12, 60}}},
                  {"lstm", {}, spec::Recurrent{spec::Recurrent::Kind::kLstm, 10}},
                  {"attention", {}, spec::Attention{2, true}},
                  {"sum", {"attention", "lstm"}, spec::Add{}},
                  {"gru", {}, spec::Recurrent{spec::Recurrent::Kind::kGru, 7}},
                  {"last", {}, spec::Last{}},
                  {"drop", {}, spec::Dropout{0.2}},
                  {"dense", {}, spec::Dense{10}}};
  return model;
}

class LeNetOnCpu : public ::testing::TestWithParam<int64_t> {};

TEST_P(LeNetOnCpu, HasTheGradientOfTheReference) {
  const auto cpu = CreateCpuBackend(), reference = CreateReferenceBackend();
  for (const spec::Model& model : {LeNet(), LeNetWithDropout()}) {
    const auto fast = MakeNetwork(model, *cpu, 64), slow = MakeNetwork(model, *reference, 64);
    const std::vector<float> weights = Weights(model, *fast);
    ASSERT_EQ(fast->parameter_count(), 61706u);
    const Batch batch = RandomBatch(GetParam(), 784, 10, kSeed);
    std::vector<float> got(61706, NAN), want(61706, NAN);
    const float scale = 1.0f / 64;
    auto fast_result = fast->Train(weights.data(), batch, scale, Stream(), got.data());
    auto slow_result = slow->Train(weights.data(), batch, scale, Stream(), want.data());
    ASSERT_TRUE(fast_result.ok()) << fast_result.status();
    ASSERT_TRUE(slow_result.ok()) << slow_result.status();
    EXPECT_NEAR(fast_result->loss_sum, slow_result->loss_sum, 1e-5 * slow_result->loss_sum);
    EXPECT_EQ(fast_result->correct, slow_result->correct);
    // The order of the sums differs; each tensor is held to its own scale.
    for (const Parameter& parameter : fast->parameters()) {
      float largest = 0, error = 0;
      for (size_t i = parameter.offset; i < parameter.offset + parameter.count; ++i) {
        largest = std::max(largest, std::fabs(want[i]));
        error = std::max(error, std::fabs(got[i] - want[i]));
        ASSERT_FALSE(std::isnan(got[i])) << parameter.name;
      }
      EXPECT_GT(largest, 0) << parameter.name;
      EXPECT_LE(error, 2e-5f * largest) << parameter.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Batches, LeNetOnCpu, ::testing::Values(1, 2, 7, 16, 33, 64));

class EveryBackend : public ::testing::TestWithParam<std::unique_ptr<Backend> (*)()> {
 protected:
  std::unique_ptr<Backend> backend_ = GetParam()();
};
INSTANTIATE_TEST_SUITE_P(Backends, EveryBackend,
                         ::testing::Values(&CreateCpuBackend, &CreateReferenceBackend),
                         [](const auto& test) { return test.param()->name(); });

TEST_P(EveryBackend, EvaluationCountsLikeTrainingAndIgnoresDropout) {
  const spec::Model model = SmallNet();
  const auto plain = MakeNetwork(model, *backend_, 8);
  const auto dropping = MakeNetwork(SmallNetWithDropout(), *backend_, 8);
  const std::vector<float> weights = Weights(model, *plain);
  const Batch batch = RandomBatch(8, 144, 10, 3);
  std::vector<float> gradient(plain->parameter_count());
  const auto trained = plain->Train(weights.data(), batch, 1, Stream(), gradient.data());
  const auto evaluated = plain->Evaluate(weights.data(), batch);
  const auto undropped = dropping->Evaluate(weights.data(), batch);
  ASSERT_TRUE(trained.ok() && evaluated.ok() && undropped.ok());
  EXPECT_EQ(evaluated->loss_sum, trained->loss_sum);
  EXPECT_EQ(evaluated->correct, trained->correct);
  EXPECT_NEAR(undropped->loss_sum, trained->loss_sum, 1e-5 * trained->loss_sum);
}

TEST_P(EveryBackend, EmptyBatchHasNoGradientAndNoLoss) {
  const auto network = MakeNetwork(SmallNet(), *backend_, 4);
  const std::vector<float> weights = Weights(SmallNet(), *network);
  std::vector<float> gradient(network->parameter_count(), 7);
  const auto result = network->Train(weights.data(), Batch{}, 1, Stream(), gradient.data());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->loss_sum, 0);
  EXPECT_EQ(result->correct, 0);
  EXPECT_THAT(gradient, ::testing::Each(0.0f));
  EXPECT_TRUE(network->Evaluate(weights.data(), Batch{}).ok());
}

TEST_P(EveryBackend, RefusesBatchesThatDoNotFit) {
  const auto network = MakeNetwork(SmallNet(), *backend_, 4);
  const std::vector<float> weights = Weights(SmallNet(), *network);
  std::vector<float> gradient(network->parameter_count());
  auto refusal = [&](const Batch& batch) {
    const auto trained = network->Train(weights.data(), batch, 1, Stream(), gradient.data());
    const auto evaluated = network->Evaluate(weights.data(), batch);
    EXPECT_EQ(trained.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(evaluated.status(), trained.status());
    return std::string(trained.status().message());
  };
  EXPECT_THAT(refusal(RandomBatch(5, 144, 10, 1)), HasSubstr("a batch of 5 samples"));
  EXPECT_THAT(refusal(RandomBatch(2, 143, 10, 1)), HasSubstr("144 values a sample"));
  Batch labelled = RandomBatch(2, 144, 10, 1);
  labelled.labels[1] = 10;
  EXPECT_THAT(refusal(labelled), HasSubstr("label 10 in a model of 10 classes"));
  labelled.labels[1] = -1;
  EXPECT_THAT(refusal(labelled), HasSubstr("label -1"));
  labelled.labels.pop_back();
  EXPECT_THAT(refusal(labelled), HasSubstr("2 samples and 1 labels"));
}

TEST_P(EveryBackend, DivergedWeightsGiveALossThatIsNoNumber) {
  const auto network = MakeNetwork(SmallNet(), *backend_, 2);
  std::vector<float> weights = Weights(SmallNet(), *network);
  weights.back() = NAN;
  const auto result = network->Evaluate(weights.data(), RandomBatch(2, 144, 10, 1));
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(std::isnan(result->loss_sum));
}

// A few plain SGD steps over micro-batches of changing sizes; the digest of the weights.
uint64_t TrainFiveSteps(Network& network, const spec::Model& model, float* unaligned) {
  const std::vector<float> start = Weights(model, network);
  float* weights = unaligned;
  std::copy(start.begin(), start.end(), weights);
  std::vector<float> gradient(start.size());
  const int64_t counts[] = {16, 16, 5, 16, 1};
  for (uint64_t step = 0; step < 5; ++step) {
    const Batch batch = RandomBatch(counts[step], 144, 10, 100 + step);
    const auto result = network.Train(weights, batch, 1.0f / 16, Stream(step), gradient.data());
    EXPECT_TRUE(result.ok()) << result.status();
    for (size_t i = 0; i < gradient.size(); ++i) weights[i] -= 0.1f * gradient[i];
  }
  return Digest({weights, weights + start.size()});
}

void ExpectSameBitsTwiceAtAnyAddress(Backend& backend, const spec::Model& model) {
  std::vector<uint64_t> digests;
  for (size_t offset : {0, 1, 3, 0}) {
    const auto network = MakeNetwork(model, backend, 16);
    std::vector<float> memory(network->parameter_count() + offset);
    digests.push_back(TrainFiveSteps(*network, model, memory.data() + offset));
  }
  // A network that has worked before gives the same bits as a fresh one.
  const auto used = MakeNetwork(model, backend, 16);
  std::vector<float> memory(used->parameter_count());
  TrainFiveSteps(*used, model, memory.data());
  digests.push_back(TrainFiveSteps(*used, model, memory.data()));
  // A larger batch_max changes nothing.
  const auto larger = MakeNetwork(model, backend, 40);
  digests.push_back(TrainFiveSteps(*larger, model, memory.data()));
  for (uint64_t digest : digests) EXPECT_EQ(digest, digests[0]);
}

TEST_P(EveryBackend, SameBitsTwiceAtAnyAddress) {
  ExpectSameBitsTwiceAtAnyAddress(*backend_, SmallNetWithDropout());
}

TEST_P(EveryBackend, SameBitsTwiceAtAnyAddressOfEveryKindOfState) {
  ExpectSameBitsTwiceAtAnyAddress(*backend_, MixedNet());
}

TEST_P(EveryBackend, SameBitsOnManyThreadsAtOnce) {
  const spec::Model model = MixedNet();
  const auto alone = MakeNetwork(model, *backend_, 16);
  std::vector<float> memory(alone->parameter_count());
  const uint64_t want = TrainFiveSteps(*alone, model, memory.data());
  std::vector<uint64_t> got(6);
  std::vector<std::thread> threads;
  for (uint64_t& digest : got) {
    threads.emplace_back([&model, &digest, this] {
      const auto network = MakeNetwork(model, *backend_, 16);
      std::vector<float> own(network->parameter_count());
      digest = TrainFiveSteps(*network, model, own.data());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint64_t digest : got) EXPECT_EQ(digest, want);
}

TEST_P(EveryBackend, NetworkMayMoveBetweenThreads) {
  const spec::Model model = SmallNet();
  const auto network = MakeNetwork(model, *backend_, 16);
  std::vector<float> memory(network->parameter_count());
  const uint64_t want = TrainFiveSteps(*network, model, memory.data());
  for (int i = 0; i < 2; ++i) {
    uint64_t got = 0;
    std::thread([&] { got = TrainFiveSteps(*network, model, memory.data()); }).join();
    EXPECT_EQ(got, want);
  }
}

TEST_P(EveryBackend, DropoutFollowsItsStreamAlone) {
  const spec::Model model = SmallNetWithDropout();
  const auto network = MakeNetwork(model, *backend_, 4);
  const std::vector<float> weights = Weights(model, *network);
  const Batch batch = RandomBatch(4, 144, 10, 5);
  auto gradient_of = [&](RandomStream stream) {
    std::vector<float> gradient(network->parameter_count());
    EXPECT_TRUE(network->Train(weights.data(), batch, 0.25f, stream, gradient.data()).ok());
    return Digest(gradient);
  };
  const uint64_t first = gradient_of(Stream(1));
  EXPECT_NE(gradient_of(Stream(2)), first);
  EXPECT_EQ(gradient_of(Stream(1)), first);
}

// A batch that comes ahead is the next Train's, whatever happens in between.
TEST_P(EveryBackend, BatchesThatComeAheadGiveTheSameBits) {
  const spec::Model model = SmallNetWithDropout();
  const auto network = MakeNetwork(model, *backend_, 16);
  const std::vector<float> weights = Weights(model, *network);
  const Batch batches[] = {RandomBatch(16, 144, 10, 1), RandomBatch(5, 144, 10, 2),
                           RandomBatch(16, 144, 10, 3)};
  std::vector<float> gradient(network->parameter_count());
  const auto train = [&](const Batch& batch, Ahead ahead) {
    const auto result =
        network->Train(weights.data(), batch, 0.1f, Stream(), gradient.data(), ahead);
    EXPECT_TRUE(result.ok()) << result.status();
    return Digest(gradient);
  };
  const uint64_t second = train(batches[1], {}), third = train(batches[2], {});
  int asked = 0;
  const auto bring_second = [&] {
    ++asked;
    return NamedBatch{&batches[1], 2};
  };
  const auto train_first = [&] { train(batches[0], {1, bring_second}); };
  train_first();
  EXPECT_EQ(train(batches[1], {2, {}}), second);
  train_first();
  EXPECT_EQ(train(batches[2], {3, {}}), third) << "another batch than was announced";
  EXPECT_EQ(train(batches[1], {2, {}}), second) << "announced, but not for this call";
  train_first();
  ASSERT_TRUE(network->Evaluate(weights.data(), batches[2]).ok());
  EXPECT_EQ(train(batches[1], {2, {}}), second) << "after an evaluation";
  train(batches[0], {1, [] { return NamedBatch{}; }});
  EXPECT_EQ(train(batches[1], {2, {}}), second) << "there was none";
  EXPECT_EQ(asked, 3) << "once in each pass that names who fills the next";
}

}  // namespace
}  // namespace baton::trainer
