#include "trainer/data/dataset.h"

#include <gtest/gtest.h>

#include <vector>

namespace baton::trainer {
namespace {

Dataset Four() {
  Dataset dataset;
  dataset.count = 4;
  dataset.sample_shape = {1, 1, 2};
  dataset.bytes = {0, 255, 1, 2, 51, 102, 7, 8};
  dataset.labels = {9, 8, 7, 6};
  dataset.divide_by = 255;
  return dataset;
}

TEST(DatasetTest, FillsInTheOrderAsked) {
  Batch batch;
  Four().Fill({2, 0, 2}, &batch);
  EXPECT_EQ(batch.count, 3);
  EXPECT_EQ(batch.values,
            (std::vector<float>{51 / 255.0f, 102 / 255.0f, 0, 1, 51 / 255.0f, 102 / 255.0f}));
  EXPECT_EQ(batch.labels, (std::vector<int32_t>{7, 9, 7}));
  Four().Fill({}, &batch);
  EXPECT_EQ(batch.count, 0);
  EXPECT_TRUE(batch.values.empty());
  EXPECT_TRUE(batch.labels.empty());
}

TEST(DatasetTest, IsMadeOfImagesAndLabels) {
  const Dataset gray = MakeDataset({{2, 1, 3}, {1, 2, 3, 4, 5, 6}}, {{2}, {0, 9}}, 255);
  EXPECT_EQ(gray.count, 2);
  EXPECT_EQ(gray.sample_shape, (std::vector<int64_t>{1, 1, 3}));
  EXPECT_EQ(gray.labels, (std::vector<int32_t>{0, 9}));
  EXPECT_EQ(gray.divide_by, 255);
  const Dataset colour = MakeDataset({{1, 3, 1, 2}, {1, 2, 3, 4, 5, 6}}, {{1}, {4}}, 1);
  EXPECT_EQ(colour.sample_shape, (std::vector<int64_t>{3, 1, 2}));
}

TEST(DatasetDeathTest, RefusesAnIndexBeyondTheEnd) {
  Batch batch;
  EXPECT_DEATH(Four().Fill({4}, &batch), "beyond the data set");
}

}  // namespace
}  // namespace baton::trainer
