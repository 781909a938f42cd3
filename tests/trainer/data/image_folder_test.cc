#include "trainer/data/image_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "trainer/data/make.h"
#include "trainer/data/prefetch.h"

namespace baton::trainer {
namespace {

namespace fs = std::filesystem;

class ImageFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir() + "/image_folder_test").lexically_normal();
    fs::remove_all(folder_);
    Copy("rgb.jpg", "p/cat/1.jpg");
    Copy("rgb.png", "p/cat/2.png");
    Copy("turned.jpg", "p/dog/1.jpg");
    Copy("grey.png", "p/dog/2.png");
    Copy("progressive.jpg", "p/dog/3.png");
  }
  void Copy(const std::string& name, const std::string& to) const {
    fs::create_directories(fs::path(folder_ + "/" + to).parent_path());
    fs::copy_file(absl::StrCat(BATON_PICTURES, "/", name), folder_ + "/" + to);
  }

  Datasets Make(const std::string& data, uint64_t seed = 1) const {
    spec::Reading reading = spec::ReadSpecText(
        absl::StrCat("data: {format: images, train: p, ", data,
                     "}\nmodel: {input: [3, 4, 5], divide_by: 255, layers: [flatten, dense: 2]}\n"
                     "epochs: 1\nbatch_size: 1\noptimizer: {name: sgd, lr: 0.1}\n"),
        folder_ + "/s.yaml");
    spec::DataFiles files;
    spec::CheckData([&](const spec::NamedFile& file) { return folder_ + "/" + file.source->uri; },
                    &files, &reading);
    EXPECT_TRUE(reading.mistakes.empty()) << reading.mistakes.ToStatus();
    return MakeDatasets(*reading.spec.native, seed, std::move(files));
  }

  image::Image Seen(const std::string& path) const {
    return image::Fit(*image::Decode(*ReadFile(folder_ + "/p/" + path), 3), {3, 4, 5, 0});
  }

  std::string folder_;
};

TEST_F(ImageFolderTest, FillsPlanesOfScaledValues) {
  const Datasets data = Make("mean: [0.1, 0.2, 0.3], std: [0.7]");
  EXPECT_EQ(data.test, nullptr);
  EXPECT_EQ(data.train->count(), 5);
  EXPECT_EQ(data.train->sample_sizes(), std::vector<int64_t>{60});
  EXPECT_EQ(data.train->labels(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_STREQ(data.train->noun(), "images");
  Batch batch;
  data.train->Fill({3, 1}, nullptr, &batch);
  EXPECT_EQ(batch.labels, (std::vector<int32_t>{1, 0}));
  const image::Image image = Seen("cat/2.png");
  // Channel 2, row 3, column 1 of the second sample, as torchvision computes it.
  const auto byte = static_cast<float>(image.pixels[(3 * 5 + 1) * 3 + 2]);
  EXPECT_EQ(batch.values[60 + 2 * 20 + 3 * 5 + 1], (byte / 255 - 0.3f) / 0.7f);
}

TEST_F(ImageFolderTest, BlueComesFirstWhereTheModelWantsIt) {
  const Datasets rgb = Make("mean: [0.1, 0.2, 0.3]");
  const Datasets bgr = Make("channel_order: bgr, mean: [0.3, 0.2, 0.1]");
  EXPECT_NE(rgb.train->digest(), bgr.train->digest());
  Batch first, second;
  rgb.train->Fill({1}, nullptr, &first);
  bgr.train->Fill({1}, nullptr, &second);
  for (size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(first.values[i], second.values[40 + i]);
    EXPECT_EQ(first.values[20 + i], second.values[20 + i]);
    EXPECT_EQ(first.values[40 + i], second.values[i]);
  }
}

TEST_F(ImageFolderTest, WhatMemoryDoesNotHoldIsTheSame) {
  const std::vector<uint32_t> all = {4, 2, 0, 1, 3};
  const RandomStream random = RandomStream::Make(1, RandomPurpose::kSamples, 2, 3, 4);
  for (const char* augment :
       {"", "augment: {flip: both, rotate: 20}, ", "augment: {crop: {}, contrast: 0.5}, "}) {
    const Datasets kept = Make(absl::StrCat(augment, "damaged: error"));
    const Datasets bare = Make(absl::StrCat(augment, "cache: {memory: 0}"));
    for (const RandomStream* draws : {static_cast<const RandomStream*>(nullptr), &random}) {
      Batch first, second;
      kept.train->Fill(all, draws, &first);
      bare.train->Fill(all, draws, &second);
      EXPECT_EQ(first.values, second.values) << augment;
      EXPECT_EQ(first.labels, second.labels);
      bare.train->Expect(all, draws);
      bare.train->Fill(all, draws, &second);
      EXPECT_EQ(first.values, second.values) << "filled ahead";
    }
    EXPECT_EQ(kept.train->digest(), bare.train->digest());
  }
}

TEST_F(ImageFolderTest, ASampleDrawsItsOwnWhereverItStands) {
  const Datasets data = Make("augment: {rotate: 90}");
  const RandomStream random = RandomStream::Make(1, RandomPurpose::kSamples, 2, 3, 4);
  Batch all, one, evaluated;
  data.train->Fill({0, 1, 2}, &random, &all);
  data.train->Fill({1}, &random, &one);
  data.train->Fill({1}, nullptr, &evaluated);
  EXPECT_TRUE(std::equal(one.values.begin(), one.values.end(), all.values.begin() + 60));
  EXPECT_NE(one.values, evaluated.values);
  const RandomStream next = RandomStream::Make(1, RandomPurpose::kSamples, 2, 4, 4);
  data.train->Fill({1}, &next, &evaluated);
  EXPECT_NE(one.values, evaluated.values) << "anew in each step";
}

TEST_F(ImageFolderTest, APartIsDrawnForTheTest) {
  const Datasets data = Make("test_fraction: 0.4, augment: {crop: {}}");
  EXPECT_EQ(data.train->count(), 3);
  EXPECT_EQ(data.test->count(), 2);
  const RandomStream random = RandomStream::Make(1, RandomPurpose::kSamples);
  Batch drawn, plain;
  data.test->Fill({0, 1}, &random, &drawn);
  data.test->Fill({0, 1}, nullptr, &plain);
  EXPECT_EQ(drawn.values, plain.values) << "nothing is drawn for a test";
}

TEST_F(ImageFolderTest, TheDigestIsOfAllThatDecidesTheSamples) {
  std::vector<std::string> digests;
  for (const char* data : {"damaged: error", "resize: 6", "mean: [0, 0, 1]", "augment: {rotate: 1}",
                           "test_fraction: 0.4"}) {
    digests.push_back(Make(data).train->digest());
  }
  digests.push_back(Make("test_fraction: 0.4", 3).train->digest());
  EXPECT_EQ(Make("damaged: skip, cache: {memory: 1, bottlenecks: off}").train->digest(),
            digests[0]);
  fs::rename(folder_ + "/p/cat/1.jpg", folder_ + "/p/cat/0.jpg");
  digests.push_back(Make("damaged: error").train->digest());
  std::sort(digests.begin(), digests.end());
  EXPECT_EQ(std::unique(digests.begin(), digests.end()), digests.end());
}

TEST_F(ImageFolderTest, AFileThatChangesMeanwhileIsTold) {
  const Datasets data = Make("cache: {memory: 0}");
  Batch batch;
  data.train->Fill({0, 1}, nullptr, &batch);
  EXPECT_TRUE(data.train->health().ok());
  fs::remove(folder_ + "/p/cat/1.jpg");
  Copy("rgb.jpg", "p/cat/1.jpg");
  std::ofstream(folder_ + "/p/cat/1.jpg", std::ios::app) << "x";
  data.train->Fill({1}, nullptr, &batch);
  EXPECT_TRUE(data.train->health().ok());
  data.train->Fill({1, 0}, nullptr, &batch);
  EXPECT_EQ(data.train->health().message(),
            folder_ +
                "/p/cat/1.jpg is not what it was when the training began (other bytes); "
                "put it back, and go on from the last checkpoint");
  EXPECT_EQ(batch.values[60], 0);
}

}  // namespace
}  // namespace baton::trainer
