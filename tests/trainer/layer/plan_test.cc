#include "trainer/layer/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/trainer/lenet.h"

namespace baton::trainer {
namespace {

using ::testing::HasSubstr;

std::string Refusal(const spec::Model& model) {
  const auto plan = PlanOperations(model);
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(plan.status().message());
}

TEST(PlanTest, LeNetIsSevenOperations) {
  const auto plan = PlanOperations(LeNet());
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->operations.size(), 7u);
  const auto& conv1 = std::get<ConvOperation>(plan->operations[0].shape);
  EXPECT_EQ(conv1.in, (SampleShape{1, 28, 28}));
  EXPECT_EQ(conv1.out, (SampleShape{6, 28, 28}));
  EXPECT_EQ(conv1.padding, (Extent{2, 2}));
  // The ReLU in between moved behind the pooling.
  EXPECT_EQ(conv1.activation, Activation::kNone);
  EXPECT_EQ(std::get<MaxPoolOperation>(plan->operations[1].shape).activation, Activation::kRelu);
  // Flatten is gone: the dense layer reads the image as it lies.
  const auto& dense1 = std::get<DenseOperation>(plan->operations[4].shape);
  EXPECT_EQ(dense1.in, (SampleShape{16, 5, 5}));
  EXPECT_EQ(dense1.activation, Activation::kRelu);
  EXPECT_EQ(std::get<DenseOperation>(plan->operations[6].shape).activation, Activation::kNone);
  EXPECT_EQ(plan->operations[2].parameter_offset, 6u * 25 + 6);
  EXPECT_EQ(plan->operations[6].layer, 11u);
}

TEST(PlanTest, ReluThatNothingCanTakeUpStaysAnOperation) {
  spec::Model model;
  model.inputs = {{spec::kModelInput, {4}}};
  model.layers = {{"relu", {}, spec::Activation{}},
                  {"drop", {}, spec::Dropout{0.5}},
                  {"relu2", {}, spec::Activation{}},
                  {"dense", {}, spec::Dense{3}}};
  const auto plan = PlanOperations(model);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->operations.size(), 4u);
  EXPECT_TRUE(std::holds_alternative<ActivationOperation>(plan->operations[0].shape));
  EXPECT_TRUE(std::holds_alternative<ActivationOperation>(plan->operations[2].shape));
}

TEST(PlanTest, LargeSamplesAreComputedFewAtATime) {
  EXPECT_EQ(BlockFor(*PlanOperations(LeNet())), 64);
  spec::Model large;
  large.inputs = {{spec::kModelInput, {3, 1024, 1024}}};
  large.layers = {{"conv", {}, spec::Conv{.out = 64, .kernel = {1, 1}}},
                  {"pool", {}, spec::GlobalPool{}},
                  {"dense", {}, spec::Dense{3}}};
  EXPECT_EQ(BlockFor(*PlanOperations(large)), 1);
}

TEST(PlanTest, RefusesWhatCannotBeTrained) {
  spec::Model model;
  model.inputs = {{spec::kModelInput, {1, 4, 4}}};
  EXPECT_THAT(Refusal(model), HasSubstr("nothing to learn"));
  model.layers = {{"flat", {}, spec::Flatten{}}};
  EXPECT_THAT(Refusal(model), HasSubstr("nothing to learn"));
  model.layers = {{"conv", {}, spec::Conv{2, 3, 1, 0}}};
  EXPECT_THAT(Refusal(model), HasSubstr("the last layer gives 2 x 2 x 2"));
  model.layers = {{"conv", {}, spec::Conv{2, 5, 1, 0}}};
  EXPECT_THAT(Refusal(model), HasSubstr("layer conv"));
}

TEST(PlanTest, ReluBehindAFlattenJoinsNothingThatOthersRead) {
  spec::Model model;
  model.inputs = {{spec::kModelInput, {2, 4, 3}}};
  model.layers = {{"conv", {}, spec::Conv{3, 3, 1, 1}},
                  {"flat", {"conv"}, spec::Flatten{}},
                  {"relu", {"flat"}, spec::Activation{}},
                  {"pool", {"conv"}, spec::GlobalPool{}},
                  {"all", {"relu", "pool"}, spec::Concat{}}};
  const auto plan = PlanOperations(model);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(std::get<ConvOperation>(plan->operations[0].shape).activation, Activation::kNone);
  model.layers[3].inputs = {"relu"};
  model.layers[3].op = spec::Dense{2};
  model.layers.pop_back();
  const auto alone = PlanOperations(model);
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_EQ(std::get<ConvOperation>(alone->operations[0].shape).activation, Activation::kRelu);
}

TEST(PlanTest, RefusesAnEmbeddingOfWhatIsLearned) {
  spec::Model model;
  model.inputs = {{spec::kModelInput, {4}}};
  model.layers = {{"dense", {}, spec::Dense{4}}, {"words", {}, spec::Embedding{5, 3}}};
  EXPECT_THAT(Refusal(model), HasSubstr("layer words"));
  model.layers[0].op = spec::Activation{};
  EXPECT_TRUE(PlanOperations(model).ok());
}

TEST(PlanTest, AGraphMayBranchAndJoin) {
  spec::Model model;
  model.inputs = {{spec::kModelInput, {4}}};
  model.layers = {{"a", {"input"}, spec::Dense{4}},
                  {"b", {"input"}, spec::Dense{4}},
                  {"relu", {"b"}, spec::Activation{}},
                  {"sum", {"a", "relu", "b"}, spec::Add{}}};
  const auto plan = PlanOperations(model);
  ASSERT_TRUE(plan.ok()) << plan.status();
  // b is read twice, so that it keeps its values and the ReLU is an operation.
  ASSERT_EQ(plan->operations.size(), 4u);
  EXPECT_EQ(plan->operations[3].inputs, (std::vector<size_t>{1, 3, 2}));
  EXPECT_FALSE(plan->values[0].needs_gradient);
  EXPECT_TRUE(plan->values[2].needs_gradient);
}

TEST(PlanTest, NothingFlowsBackIntoWhatIsFrozen) {
  spec::Model model;
  model.inputs = {{spec::kModelInput, {4}}};
  model.layers = {{"a", {}, spec::Dense{4}, true}, {"b", {}, spec::Dense{4}}};
  const auto plan = PlanOperations(model);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_FALSE(plan->values[1].needs_gradient);
  EXPECT_TRUE(plan->values[2].needs_gradient);
  model.layers[1].frozen = true;
  EXPECT_THAT(Refusal(model), HasSubstr("nothing to learn"));
}

TEST(PlanTest, RefusesABranchThatGoesNowhere) {
  spec::Model model;
  model.inputs = {{spec::kModelInput, {4}}};
  model.layers = {{"a", {"input"}, spec::Dense{4}}, {"b", {"input"}, spec::Dense{4}}};
  EXPECT_THAT(Refusal(model), HasSubstr("layer a: no layer takes its output"));
  model.layers[1].inputs = {"a"};
  EXPECT_TRUE(PlanOperations(model).ok());
}

}  // namespace
}  // namespace baton::trainer
