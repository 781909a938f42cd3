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
  ASSERT_EQ(plan->size(), 7u);
  const auto& conv1 = std::get<ConvOperation>((*plan)[0].shape);
  EXPECT_EQ(conv1.in, (SampleShape{1, 28, 28}));
  EXPECT_EQ(conv1.out, (SampleShape{6, 28, 28}));
  EXPECT_EQ(conv1.padding, 2);
  // The ReLU in between moved behind the pooling.
  EXPECT_EQ(conv1.activation, Activation::kNone);
  EXPECT_EQ(std::get<MaxPoolOperation>((*plan)[1].shape).activation, Activation::kRelu);
  // Flatten is gone: the dense layer reads the image as it lies.
  const auto& dense1 = std::get<DenseOperation>((*plan)[4].shape);
  EXPECT_EQ(dense1.in, (SampleShape{16, 5, 5}));
  EXPECT_EQ(dense1.activation, Activation::kRelu);
  EXPECT_EQ(std::get<DenseOperation>((*plan)[6].shape).activation, Activation::kNone);
  EXPECT_EQ((*plan)[2].parameter_offset, 6u * 25 + 6);
  EXPECT_EQ((*plan)[6].layer, 11u);
}

TEST(PlanTest, ReluThatNothingCanTakeUpStaysAnOperation) {
  spec::Model model;
  model.input = {4};
  model.layers = {{"relu", {}, spec::Relu{}},
                  {"drop", {}, spec::Dropout{0.5}},
                  {"relu2", {}, spec::Relu{}},
                  {"dense", {}, spec::Dense{3}}};
  const auto plan = PlanOperations(model);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->size(), 4u);
  EXPECT_TRUE(std::holds_alternative<ReluOperation>((*plan)[0].shape));
  EXPECT_TRUE(std::holds_alternative<ReluOperation>((*plan)[2].shape));
}

TEST(PlanTest, RefusesWhatCannotBeTrained) {
  spec::Model model;
  model.input = {1, 4, 4};
  EXPECT_THAT(Refusal(model), HasSubstr("nothing to learn"));
  model.layers = {{"flat", {}, spec::Flatten{}}};
  EXPECT_THAT(Refusal(model), HasSubstr("nothing to learn"));
  model.layers = {{"conv", {}, spec::Conv{2, 3, 1, 0}}};
  EXPECT_THAT(Refusal(model), HasSubstr("the last layer gives 2 x 2 x 2"));
  model.layers = {{"conv", {}, spec::Conv{2, 5, 1, 0}}};
  EXPECT_THAT(Refusal(model), HasSubstr("layer conv"));
}

TEST(PlanTest, RefusesAGraphThatIsNoChain) {
  spec::Model model;
  model.input = {4};
  model.layers = {{"a", {"input"}, spec::Dense{4}}, {"b", {"input"}, spec::Dense{4}}};
  EXPECT_THAT(Refusal(model), HasSubstr("layer b: its input must be a"));
  model.layers[1].inputs = {"a"};
  EXPECT_TRUE(PlanOperations(model).ok());
}

}  // namespace
}  // namespace baton::trainer
