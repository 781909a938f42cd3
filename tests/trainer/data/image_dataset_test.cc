#include "trainer/data/image_dataset.h"

#include <gtest/gtest.h>

#include <vector>

namespace baton::trainer {
namespace {

ImageDataset Four(float divide_by = 255) {
  return ImageDataset({{4, 1, 2}, {0, 255, 1, 2, 51, 102, 7, 8}}, {{4}, {9, 8, 7, 6}}, divide_by);
}

TEST(ImageDatasetTest, FillsInTheOrderAsked) {
  Batch batch;
  Four().Fill({2, 0, 2}, nullptr, &batch);
  EXPECT_EQ(batch.count, 3);
  EXPECT_EQ(batch.values,
            (std::vector<float>{51 / 255.0f, 102 / 255.0f, 0, 1, 51 / 255.0f, 102 / 255.0f}));
  EXPECT_EQ(batch.labels, (std::vector<int32_t>{7, 9, 7}));
  Four().Fill({}, nullptr, &batch);
  EXPECT_EQ(batch.count, 0);
  EXPECT_TRUE(batch.values.empty());
  EXPECT_TRUE(batch.labels.empty());
}

TEST(ImageDatasetTest, IsMadeOfImagesAndLabels) {
  const ImageDataset colour({{1, 3, 1, 2}, {1, 2, 3, 4, 5, 6}}, {{1}, {4}}, 1);
  EXPECT_EQ(colour.count(), 1);
  EXPECT_EQ(colour.sample_sizes(), std::vector<int64_t>{6});
  EXPECT_EQ(Four().sample_sizes(), std::vector<int64_t>{2});
  EXPECT_STREQ(Four().noun(), "images");
}

// Written into checkpoints: it must not change.
TEST(ImageDatasetTest, TheDigestIsOfBytesAndLabels) {
  EXPECT_EQ(Four().digest(), Four(1).digest());
  EXPECT_EQ(Four().digest(), "xxh3:41c83e9d338e91ec13cf40b9e0a1c48e");
  EXPECT_NE(ImageDataset({{1, 1, 2}, {1, 2}}, {{1}, {4}}, 1).digest(),
            ImageDataset({{1, 1, 2}, {1, 2}}, {{1}, {5}}, 1).digest());
}

TEST(ImageDatasetDeathTest, RefusesAnIndexBeyondTheEnd) {
  Batch batch;
  EXPECT_DEATH(Four().Fill({4}, nullptr, &batch), "beyond the data set");
}

}  // namespace
}  // namespace baton::trainer
