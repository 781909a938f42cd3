#include "trainer/layer/placement.h"

#include <gtest/gtest.h>

#include "tests/trainer/lenet.h"
#include "trainer/layer/network.h"

namespace baton::trainer {
namespace {

TEST(PlacementTest, EachLayerBeginsOnItsBoundaryAndNothingOverlaps) {
  const auto parameters = ModelParameters(LeNet());
  const auto placement = PlaceParameters(LeNet());
  ASSERT_TRUE(parameters.ok() && placement.ok());
  ASSERT_EQ(placement->pieces.size(), 5u);  // the layers that have any
  size_t flat = 0, place = 0;
  for (const Placement::Piece& piece : placement->pieces) {
    EXPECT_EQ(piece.flat, flat);
    EXPECT_EQ(piece.place % kPlacementFloats, 0u);
    EXPECT_GE(piece.place, place);
    EXPECT_LT(piece.place, place + kPlacementFloats);
    flat = piece.flat + piece.count;
    place = piece.place + piece.count;
  }
  EXPECT_EQ(flat, parameters->back().offset + parameters->back().count);
  EXPECT_EQ(place, placement->count);
  EXPECT_EQ(placement->PlaceOf(flat), placement->count);
}

TEST(PlacementTest, AParameterLiesBehindTheOnesOfItsLayer) {
  const auto parameters = ModelParameters(LeNet());
  const auto placement = PlaceParameters(LeNet());
  ASSERT_TRUE(parameters.ok() && placement.ok());
  EXPECT_EQ(placement->PlaceOf(0), 0u);
  // Weight and bias of one layer without a gap: 6 * 25 and 6, then the next layer's.
  EXPECT_EQ((*parameters)[1].name, "conv1.bias");
  EXPECT_EQ(placement->PlaceOf((*parameters)[1].offset), 150u);
  EXPECT_EQ(placement->PlaceOf((*parameters)[2].offset), 192u);
  EXPECT_EQ(placement->PlaceOf((*parameters)[2].offset + 7), 199u);
}

TEST(PlacementTest, AModelWithoutParametersHasNone) {
  spec::Model model;
  model.inputs = {{spec::kModelInput, {3}}};
  model.layers = {{"relu", {}, spec::Activation{}}};
  const auto placement = PlaceParameters(model);
  ASSERT_TRUE(placement.ok());
  EXPECT_EQ(placement->count, 0u);
  EXPECT_EQ(placement->PlaceOf(0), 0u);
}

}  // namespace
}  // namespace baton::trainer
