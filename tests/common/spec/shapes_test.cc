#include "common/spec/shapes.h"

#include <gtest/gtest.h>

namespace baton::spec {
namespace {

absl::StatusOr<Shape> Of(const LayerOp& op, const std::vector<Shape>& in) {
  return spec::OutputShape(op, in);
}

Model Chain(Shape input, std::vector<LayerOp> ops) {
  Model model;
  model.inputs = {{kModelInput, std::move(input)}};
  for (const LayerOp& op : ops) {
    model.layers.push_back(
        {std::string(KindName(op)) + std::to_string(model.layers.size()), {}, op});
  }
  return model;
}

TEST(Shapes, FollowTheFormulaOfAWindow) {
  struct {
    LayerOp op;
    Shape in;
    Shape out;
  } const cases[] = {
      {Conv{6, 5, 1, 2}, {1, 28, 28}, {6, 28, 28}},
      {Conv{16, 5, 1, 0}, {6, 14, 14}, {16, 10, 10}},
      {Conv{2, 3, 2, 1}, {1, 7, 8}, {2, 4, 4}},
      {MaxPool{2, 2, 0}, {6, 28, 28}, {6, 14, 14}},
      {MaxPool{3, 2, 1}, {6, 7, 5}, {6, 4, 3}},
      {Activation{}, {3, 2, 2}, {3, 2, 2}},
      {Flatten{}, {3, 2, 5}, {30}},
      {Flatten{}, {30}, {30}},
      {Dense{10}, {84}, {10}},
      {Dropout{0.5}, {3, 2, 2}, {3, 2, 2}},
  };
  for (const auto& c : cases) {
    const absl::StatusOr<Shape> out = Of(c.op, {c.in});
    ASSERT_TRUE(out.ok()) << KindName(c.op) << out.status().message();
    EXPECT_EQ(*out, c.out) << KindName(c.op);
  }
}

TEST(Shapes, RefuseWhatCannotBe) {
  EXPECT_FALSE(Of(Conv{1, 5, 1, 0}, {Shape{1, 4, 9}}).ok());
  EXPECT_FALSE(Of(Conv{1, 5, 1, int64_t{1} << 62}, {Shape{1, 4, 9}}).ok());
  EXPECT_FALSE(Of(MaxPool{2, 0, 0}, {Shape{1, 4, 4}}).ok());
  EXPECT_FALSE(Of(Dense{10}, {Shape{1, 4, 4}}).ok());
  EXPECT_FALSE(Of(Dense{int64_t{1} << 40}, {Shape{2}}).ok());
  EXPECT_FALSE(Of(Activation{}, {Shape{0}}).ok());
  EXPECT_EQ(InferShapes(Chain({1, 4, 4}, {Activation{}, Dense{3}})).status().message(),
            "layer dense1: needs a flat input but gets 1 x 4 x 4; put `- flatten` before it");
}

TEST(Shapes, ParametersAreInGraphOrderWeightBeforeBias) {
  const absl::StatusOr<std::vector<Parameter>> parameters =
      Parameters(Chain({3, 8, 8}, {Conv{4, 5, 1, 0}, Activation{}, Flatten{}, Dense{10}}));
  ASSERT_TRUE(parameters.ok());
  ASSERT_EQ(parameters->size(), 4u);
  EXPECT_EQ((*parameters)[0].name, "conv0.weight");
  EXPECT_EQ((*parameters)[0].shape, (Shape{4, 3, 5, 5}));
  EXPECT_EQ((*parameters)[0].fan_in, 75);
  EXPECT_EQ((*parameters)[1].name, "conv0.bias");
  EXPECT_EQ((*parameters)[1].shape, Shape{4});
  EXPECT_EQ((*parameters)[1].fan_in, 75);
  EXPECT_EQ((*parameters)[2].shape, (Shape{10, 64}));
  EXPECT_EQ((*parameters)[2].layer, 3u);
  EXPECT_EQ(*ParameterCount(Chain({64}, {Dense{10}})), 650);
}

}  // namespace
}  // namespace baton::spec
