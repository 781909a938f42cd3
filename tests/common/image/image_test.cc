#include "common/image/image.h"

#include <gtest/gtest.h>

namespace baton::image {
namespace {

Image Grey(int64_t height, int64_t width, std::vector<uint8_t> pixels) {
  return {height, width, 1, std::move(pixels)};
}

TEST(ImageTest, AReductionIsTheMeanAndAnEnlargementLiesBetween) {
  const Image image = Grey(2, 4, {0, 10, 20, 30, 100, 110, 120, 130});
  // A filter as wide as two inputs to each side: no plain mean, but symmetric.
  EXPECT_EQ(Resize(image, {0, 0, 2, 4}, 1, 1).pixels, std::vector<uint8_t>{65});
  EXPECT_EQ(Resize(image, {1, 1, 1, 2}, 1, 2).pixels, (std::vector<uint8_t>{110, 120}));
  EXPECT_EQ(Resize(image, {0, 0, 1, 2}, 1, 4).pixels, (std::vector<uint8_t>{0, 3, 8, 10}));
}

TEST(ImageTest, TheFrameIsTheCentreOrAllOfIt) {
  const Image wide = Grey(2, 6, {0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15});
  EXPECT_EQ(Fit(wide, {1, 2, 2, 2}).pixels, (std::vector<uint8_t>{2, 3, 12, 13}));
  EXPECT_EQ(Fit(wide, {1, 1, 1, 2}).pixels.size(), 1u);
  EXPECT_EQ(Fit(wide, {1, 2, 3, 0}).height, 2);
  EXPECT_EQ(Fit(wide, {1, 2, 3, 0}).width, 3);
}

TEST(ImageTest, EachOrientationIsItsOwnTurn) {
  const Image image = Grey(2, 3, {1, 2, 3, 4, 5, 6});
  const std::vector<std::vector<uint8_t>> turned = {
      {1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1}, {4, 5, 6, 1, 2, 3},
      {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3}, {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image upright = Upright(image, orientation);
    EXPECT_EQ(upright.pixels, turned[static_cast<size_t>(orientation - 1)]) << orientation;
    EXPECT_EQ(upright.height, orientation < 5 ? 2 : 3) << orientation;
  }
  EXPECT_EQ(Upright(image, 9), image);
}

TEST(ImageTest, ChannelsAreMixedAsSaid) {
  const Image rgba = {1, 2, 4, {255, 0, 0, 255, 10, 20, 30, 0}};
  EXPECT_EQ(WithChannels(rgba, 3).pixels, (std::vector<uint8_t>{255, 0, 0, 255, 255, 255}));
  EXPECT_EQ(WithChannels(rgba, 1).pixels, (std::vector<uint8_t>{76, 255}));
  EXPECT_EQ(WithChannels({1, 1, 2, {100, 51}}, 3).pixels, (std::vector<uint8_t>{224, 224, 224}));
}

}  // namespace
}  // namespace baton::image
