#include "trainer/layer/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "common/spec/parse.h"
#include "trainer/backend/cpu/cpu_backend.h"
#include "trainer/backend/reference/reference_backend.h"
#include "trainer/layer/features.h"
#include "trainer/layer/head.h"

namespace baton::trainer {
namespace {

using ::testing::ElementsAre;

spec::Model ModelOf(const std::string& input, const std::string& layers) {
  const auto spec = spec::ParseText(
      absl::StrCat("epochs: 1\nbatch_size: 4\noptimizer: {name: sgd, lr: 0.1}\ndata: {format: npy, "
                   "train: {values: x.npy, target: y.npy}}\nmodel:\n  input: ",
                   input, "\n  layers:\n", layers),
      "s.yaml");
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec->native->model;
}

std::vector<std::string> NamesOf(const spec::Model& model) {
  std::vector<std::string> names;
  for (const spec::Layer& layer : model.layers) names.push_back(layer.name);
  return names;
}

constexpr char kChain[] =
    "    - {conv: {out: 4, kernel: 3}, frozen: true}\n"
    "    - {batch_norm: , frozen: true}\n"
    "    - relu\n"
    "    - global_pool\n"
    "    - dropout: {rate: 0.5}\n"
    "    - dense: 6\n"
    "    - {dense: 3, frozen: true}\n";

// A body that forks: the head reads the picture's own mean, and two of its layers.
constexpr char kForked[] =
    "    - {conv: {out: 3, kernel: 3, padding: 1}, name: a, frozen: true}\n"
    "    - {relu: , name: b}\n"
    "    - {conv: {out: 3, kernel: 1}, name: c, inputs: [b], frozen: true}\n"
    "    - {add: , inputs: [b, c], name: d}\n"
    "    - {max_pool: {kernel: 3, stride: 3}, name: e}\n"
    "    - {max_pool: {kernel: 3, stride: 3}, name: f, inputs: [b]}\n"
    "    - {batch_norm: , name: g, inputs: [e]}\n"
    "    - {concat: , name: h, inputs: [g, f]}\n"
    "    - {flatten: , name: i}\n"
    "    - {dropout: {rate: 0.3}, name: j}\n"
    "    - {dense: 2, name: k}\n";

TEST(SplitTest, TheBodyIsFrozenAndDrawsNothing) {
  const std::optional<Split> split = SplitFrozen(ModelOf("[2, 8, 8]", kChain));
  ASSERT_TRUE(split.has_value());
  EXPECT_THAT(NamesOf(split->body), ElementsAre("conv1", "batch_norm1", "relu1", "global_pool1"));
  EXPECT_THAT(NamesOf(split->head), ElementsAre("dropout1", "dense1", "dense2"));
  EXPECT_THAT(split->cut, ElementsAre("global_pool1"));
  EXPECT_EQ(split->cut_shapes, std::vector<spec::Shape>{{4}});
  EXPECT_THAT(split->head_layers, ElementsAre(4, 5, 6));
  EXPECT_EQ(split->body_parameters, 4u * 2 * 9 + 4 + 4 * 4);
  EXPECT_EQ(split->head.inputs[0].name, "global_pool1");
}

TEST(SplitTest, AForkedBodyIsCutWhereTheHeadReads) {
  const std::optional<Split> split = SplitFrozen(ModelOf("[3, 6, 6]", kForked));
  ASSERT_TRUE(split.has_value());
  EXPECT_THAT(NamesOf(split->body), ElementsAre("a", "b", "c", "d", "e", "f"));
  EXPECT_THAT(split->cut, ElementsAre("e", "f"));
}

TEST(SplitTest, NothingWhereLittleWouldBeSaved) {
  const auto has = [](const std::string& layers) {
    return SplitFrozen(ModelOf("[1, 8, 8]", layers)).has_value();
  };
  EXPECT_FALSE(has("    - max_pool: {kernel: 2}\n    - flatten\n    - dense: 2\n"))
      << "no parameters";
  EXPECT_FALSE(
      has("    - {conv: {out: 2, kernel: 1}, frozen: true}\n    - {dropout: {rate: 0.1}}\n"
          "    - flatten\n    - dense: 2\n"))
      << "twice the values of a picture";
  EXPECT_TRUE(
      has("    - {conv: {out: 2, kernel: 1}, frozen: true}\n    - {dropout: {rate: 0}}\n"
          "    - max_pool: {kernel: 2}\n    - flatten\n    - dense: 2\n"));
  EXPECT_FALSE(
      has("    - {dropout: {rate: 0.1}}\n    - {conv: {out: 1, kernel: 3}, frozen: true}\n"
          "    - flatten\n    - dense: 2\n"))
      << "behind what is drawn";
  EXPECT_FALSE(
      has("    - {conv: {out: 1, kernel: 3}}\n    - {conv: {out: 1, kernel: 3}, frozen: "
          "true}\n    - flatten\n    - dense: 2\n"))
      << "behind what learns";
}

// Equal to the last bit, or within so much of it.
void ExpectEqual(const std::vector<float>& mine, const std::vector<float>& wanted, float within) {
  ASSERT_EQ(mine.size(), wanted.size());
  for (size_t i = 0; i < mine.size(); ++i) ASSERT_NEAR(mine[i], wanted[i], within) << i;
}

// What a training of the head sees and makes is what the whole model's sees and makes.
void ExpectSameTraining(const spec::Model& model, Backend& backend, float within) {
  constexpr int64_t kCount = 5;
  const Split split = *SplitFrozen(model);
  const auto whole = *Network::Create(model, backend, kCount);
  const auto head = *CreateHead(model, split, backend, kCount);
  const auto body = *Features::Create(split.body, split.cut, backend, kCount);
  ASSERT_EQ(head->parameter_count(), whole->parameter_count());
  ASSERT_EQ(head->parameters().size(), whole->parameters().size());
  std::vector<float> weights(whole->parameter_count());
  ASSERT_TRUE(InitializeParameters(model, 3, weights.data()).ok());
  Random random(4);
  Batch batch;
  batch.count = kCount;
  int64_t size = 1;
  for (const int64_t extent : model.inputs[0].shape) size *= extent;
  for (int64_t i = 0; i < kCount * size; ++i) {
    batch.values.push_back(static_cast<float>(random.Below(1000)) / 500 - 1);
  }
  for (int64_t i = 0; i < kCount; ++i) batch.labels.push_back(static_cast<int32_t>(i % 2));
  Batch cut = batch;
  cut.values.clear();
  std::vector<std::vector<float>> outputs;
  ASSERT_TRUE(body->Compute(weights.data(), batch, &outputs).ok());
  for (const std::vector<float>& output : outputs) {
    cut.values.insert(cut.values.end(), output.begin(), output.end());
  }

  const RandomStream stream = RandomStream::Make(9, RandomPurpose::kTrain);
  std::vector<float> wanted(weights.size(), 7), gradient(weights.size(), 8);
  const auto trained = *whole->Train(weights.data(), batch, 0.2f, stream, wanted.data());
  Gradient told(gradient.data());
  size_t last = gradient.size();
  const auto ready = [&](size_t from) {
    ExpectEqual({gradient.begin() + static_cast<ptrdiff_t>(from), gradient.end()},
                {wanted.begin() + static_cast<ptrdiff_t>(from), wanted.end()}, within);
    last = from;
  };
  told.ready.emplace(ready);
  const auto of_head = *head->Train(weights.data(), cut, 0.2f, stream, told);
  EXPECT_LT(last, gradient.size());
  EXPECT_NEAR(of_head.loss_sum, trained.loss_sum, double{within});
  EXPECT_EQ(of_head.correct, trained.correct);
  ExpectEqual(gradient, wanted, within);
  EXPECT_NEAR(head->Evaluate(weights.data(), cut)->loss_sum,
              whole->Evaluate(weights.data(), batch)->loss_sum, double{within});
  std::vector<float> prediction, other;
  ASSERT_TRUE(whole->Predict(weights.data(), batch, &prediction).ok());
  ASSERT_TRUE(head->Predict(weights.data(), cut, &other).ok());
  ExpectEqual(other, prediction, within);
}

// In float, a vector between body and head has the same bits however it is stored; what reads
// pictures may sum them in another order than where they lie in a library's own layout. The
// reference keeps doubles between layers.
TEST(SplitTest, AHeadTrainsAsTheWholeDoes) {
  const auto reference = CreateReferenceBackend();
  const auto cpu = CreateCpuBackend();
  ExpectSameTraining(ModelOf("[2, 8, 8]", kChain), *cpu, 0);
  ExpectSameTraining(ModelOf("[3, 6, 6]", kForked), *cpu, 1e-5f);
  ExpectSameTraining(ModelOf("[2, 8, 8]", kChain), *reference, 1e-5f);
  ExpectSameTraining(ModelOf("[3, 6, 6]", kForked), *reference, 1e-5f);
}

}  // namespace
}  // namespace baton::trainer
