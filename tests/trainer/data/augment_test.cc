#include "trainer/data/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/hash.h"

namespace baton::trainer {
namespace {

// Grey pixels 0, 1, 2, ..
image::Image Ramp(int64_t height, int64_t width, int64_t channels = 1) {
  image::Image image{height, width, channels, {}};
  image.pixels.resize(static_cast<size_t>(height * width * channels));
  std::iota(image.pixels.begin(), image.pixels.end(), uint8_t{0});
  return image;
}

image::Frame FrameOf(const image::Image& image) {
  return {image.channels, image.height, image.width, 0};
}

RandomStream StreamOf(uint64_t sample) {
  return RandomStream::Make(7, RandomPurpose::kSamples).Derive(sample);
}

std::vector<float> Values(const image::Image& image, const spec::Augment& augment,
                          uint64_t sample) {
  return Augmented(image, augment, FrameOf(image), StreamOf(sample)).values;
}

TEST(AugmentTest, NothingAskedForChangesNothing) {
  const image::Image image = Ramp(3, 4, 3);
  EXPECT_EQ(Values(image, {}, 1), std::vector<float>(image.pixels.begin(), image.pixels.end()));
}

TEST(AugmentTest, FlipsEverySecond) {
  spec::Augment augment;
  augment.flip = spec::Augment::Flip::kHorizontal;
  int flipped = 0;
  for (uint64_t sample = 0; sample < 1000; ++sample) {
    const std::vector<float> values = Values(Ramp(2, 3), augment, sample);
    const bool is = values[0] == 2;
    EXPECT_EQ(values,
              is ? (std::vector<float>{2, 1, 0, 5, 4, 3}) : (std::vector<float>{0, 1, 2, 3, 4, 5}));
    flipped += is ? 1 : 0;
  }
  EXPECT_NEAR(flipped, 500, 70);
  augment.flip = spec::Augment::Flip::kBoth;
  std::array<int, 4> firsts{};
  for (uint64_t sample = 0; sample < 1000; ++sample) {
    const float first = Values(Ramp(2, 2), augment, sample)[0];
    ++firsts[static_cast<size_t>(first)];
  }
  for (const int count : firsts) EXPECT_NEAR(count, 250, 60);
}

TEST(AugmentTest, CropsWithinTheShares) {
  const spec::Augment::Crop crop{0.25, 0.5, 0.5, 2};
  double smallest = 1, largest = 0, narrowest = 9, widest = 0;
  for (uint64_t sample = 0; sample < 2000; ++sample) {
    const image::Box box = DrawCrop(crop, 300, 400, RandomSequence(StreamOf(sample)));
    ASSERT_GE(box.top, 0);
    ASSERT_GE(box.left, 0);
    ASSERT_LE(box.top + box.height, 300);
    ASSERT_LE(box.left + box.width, 400);
    const double share = static_cast<double>(box.height * box.width) / (300 * 400);
    const double ratio = static_cast<double>(box.width) / static_cast<double>(box.height);
    smallest = std::min(smallest, share), largest = std::max(largest, share);
    narrowest = std::min(narrowest, ratio), widest = std::max(widest, ratio);
  }
  EXPECT_NEAR(smallest, 0.25, 0.01);
  EXPECT_NEAR(largest, 0.5, 0.01);
  EXPECT_NEAR(narrowest, 0.5, 0.02);
  EXPECT_NEAR(widest, 2, 0.08);
  // A shape that no crop fits into: the middle of it.
  const image::Box middle = DrawCrop({1, 1, 1, 1}, 10, 100, RandomSequence(StreamOf(1)));
  EXPECT_EQ(middle.left, 45);
  EXPECT_EQ(middle.width, 10);
  EXPECT_EQ(middle.height, 10);
  spec::Augment augment;
  augment.crop = crop;
  const Pixels pixels = Augmented(Ramp(9, 8), augment, {1, 4, 5, 0}, StreamOf(3));
  EXPECT_EQ(pixels.height, 4);
  EXPECT_EQ(pixels.width, 5);
}

TEST(AugmentTest, TurnsAroundTheCentre) {
  spec::Augment augment;
  augment.rotate = 90;
  float turned_most = 0;
  for (uint64_t sample = 0; sample < 300; ++sample) {
    const std::vector<float> values = Values(Ramp(3, 3), augment, sample);
    EXPECT_NEAR(values[4], 4, 1e-5) << "the centre stays";
    // On a slope of 1 to the right and 3 down the value above the centre is 4 - 3 cos - 1 sin.
    const double up = 4 - double{values[1]}, left = 4 - double{values[3]};
    EXPECT_NEAR(std::hypot(up, left), std::sqrt(10.0), 1e-4) << "a rotation, at any angle";
    turned_most = std::max(turned_most, std::abs(static_cast<float>(up) - 3));
  }
  EXPECT_GT(turned_most, 1.9f) << "up to 90 degrees";
}

TEST(AugmentTest, ColoursStayInRangeAndAverageOut) {
  spec::Augment augment;
  augment.brightness = 0.5;
  double sum = 0;
  for (uint64_t sample = 0; sample < 2000; ++sample) {
    sum += double{Values({1, 1, 1, {100}}, augment, sample)[0]};
  }
  EXPECT_NEAR(sum / 2000, 100, 2);
  augment = {};
  augment.contrast = 3;
  for (uint64_t sample = 0; sample < 100; ++sample) {
    const std::vector<float> values = Values({1, 2, 1, {100, 120}}, augment, sample);
    EXPECT_NEAR(values[0] + values[1], 220, 1e-3);
  }
  augment = {};
  augment.saturation = 1;
  for (uint64_t sample = 0; sample < 100; ++sample) {
    const std::vector<float> values = Values({1, 1, 3, {120, 100, 80}}, augment, sample);
    const float grey = 0.299f * values[0] + 0.587f * values[1] + 0.114f * values[2];
    EXPECT_NEAR(grey, 0.299f * 120 + 58.7f + 0.114f * 80, 1e-3);
    for (const float value : values) EXPECT_TRUE(value >= 0 && value <= 255);
  }
}

// Definitions of trainings name these changes by their spec alone: they must not change.
TEST(AugmentTest, TheBitsAreThoseOfEveryPlatform) {
  spec::Augment augment;
  augment.crop = spec::Augment::Crop{};
  augment.flip = spec::Augment::Flip::kBoth;
  augment.rotate = 30;
  augment.brightness = augment.contrast = augment.saturation = 0.4;
  const std::vector<float> values =
      Augmented(Ramp(8, 9, 3), augment, {3, 2, 1, 0}, StreamOf(5)).values;
  EXPECT_EQ(Xxh3(values.data(), values.size() * sizeof(float)), 14221820118294049619u);
}

}  // namespace
}  // namespace baton::trainer
