// From files to batches: each value is what a naive reading of the same text gives.
#include "trainer/data/make.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/random.h"
#include "common/spec/parse.h"
#include "tests/common/table/bytes.h"

namespace baton::trainer {
namespace {

class MakeTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/make_test";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
  }

  Datasets Make(const std::string& data, const std::string& model, uint64_t seed = 1) const {
    spec::Reading reading = spec::ReadSpecText(
        absl::StrCat("epochs: 1\nbatch_size: 4\noptimizer: {name: sgd, lr: 0.1}\ndata: {", data,
                     "}\nmodel: {", model, "}\n"),
        "s.yaml");
    spec::DataFiles files;
    spec::CheckData([&](const spec::NamedFile& file) { return folder_ + "/" + file.source->uri; },
                    &files, &reading);
    EXPECT_TRUE(reading.mistakes.empty()) << reading.mistakes.ToStatus();
    return MakeDatasets(*reading.spec.native, seed, std::move(files));
  }

  std::string folder_;
};

constexpr char kTwo[] = "input: [2], layers: [dense: 1], loss: mean_squared_error";

Batch All(const Dataset& dataset) {
  std::vector<uint32_t> indices(static_cast<size_t>(dataset.count()));
  for (size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<uint32_t>(i);
  Batch batch;
  dataset.Fill(indices, nullptr, &batch);
  return batch;
}

TEST_F(MakeTest, RowsBecomeSamples) {
  Write("t.csv", "a,y,b\n1,10,2\n3,20,4\n5,30,6\n");
  const Datasets data = Make("format: csv, train: t.csv, target: y", kTwo);
  EXPECT_EQ(data.test, nullptr);
  EXPECT_EQ(data.train->sample_sizes(), std::vector<int64_t>{2});
  Batch batch;
  data.train->Fill({2, 0, 2}, nullptr, &batch);
  EXPECT_EQ(batch.count, 3);
  EXPECT_EQ(batch.values, (std::vector<float>{5, 6, 1, 2, 5, 6}));
  EXPECT_EQ(batch.targets, (std::vector<float>{30, 10, 30}));
  EXPECT_TRUE(batch.labels.empty());
  data.train->Fill({}, nullptr, &batch);
  EXPECT_TRUE(batch.values.empty());
  EXPECT_TRUE(batch.targets.empty());
}

TEST_F(MakeTest, LabelsMayBeNumbersOrTexts) {
  Write("t.csv", "a,b,y\n1,2,1\n3,4,0\n");
  EXPECT_EQ(
      All(*Make("format: csv, train: t.csv, target: y", "input: [2], layers: [dense: 2]").train)
          .labels,
      (std::vector<int32_t>{1, 0}));
  Write("t.csv", "a;b;y\n1;2;no\n3;4;yes\n5;6;no\n");
  const std::string data = "format: csv, train: t.csv, target: y, delimiter: ';', index: [y]";
  EXPECT_EQ(All(*Make(data, "input: [2], layers: [dense: 2]").train).labels,
            (std::vector<int32_t>{0, 1, 0}));
  EXPECT_EQ(
      All(*Make(data, "input: [2], layers: [dense: 1], loss: binary_cross_entropy").train).targets,
      (std::vector<float>{0, 1, 0}));
}

// The naive reading: doubles, row by row.
TEST_F(MakeTest, StandardizesByTheTrainingsRows) {
  Random random(11);
  std::string text = "x0,x1,x2,y\n";
  std::vector<std::vector<double>> rows;
  for (int i = 0; i < 200; ++i) {
    std::vector<double> row;
    for (int c = 0; c < 4; ++c) row.push_back(static_cast<double>(random.Below(2000)) / 8 - 100);
    absl::StrAppend(&text, absl::StrJoin(row, ","), "\n");
    rows.push_back(row);
  }
  Write("t.csv", text);
  const Datasets data = Make(
      "format: csv, train: t.csv, target: y, test_fraction: 0.25, split: last, scale: standard",
      "input: [3], layers: [dense: 1], loss: mean_absolute_error");
  ASSERT_EQ(data.train->count(), 150);
  ASSERT_EQ(data.test->count(), 50);
  std::vector<double> mean(4, 0), deviation(4, 0);
  for (size_t c = 0; c < 4; ++c) {
    for (size_t i = 0; i < 150; ++i) mean[c] += rows[i][c];
    mean[c] /= 150;
    for (size_t i = 0; i < 150; ++i)
      deviation[c] += (rows[i][c] - mean[c]) * (rows[i][c] - mean[c]);
    deviation[c] = std::sqrt(deviation[c] / 150);
  }
  const auto scaled = [&](size_t row, size_t column) {
    return static_cast<float>((rows[row][column] - mean[column]) / deviation[column]);
  };
  const Batch train = All(*data.train), test = All(*data.test);
  for (size_t i = 0; i < 200; ++i) {
    const Batch& batch = i < 150 ? train : test;
    const size_t at = i < 150 ? i : i - 150;
    for (size_t c = 0; c < 3; ++c) EXPECT_EQ(batch.values[at * 3 + c], scaled(i, c));
    EXPECT_EQ(batch.targets[at], scaled(i, 3));
  }
  EXPECT_EQ(data.test->target_unit(), deviation[3]);
}

TEST_F(MakeTest, OneHotMinMaxAndTheMeanOfWhatIsThere) {
  Write("t.csv", "a,kind,y\n1,x,1\n,y,2\n3,x,5\n");
  Write("u.csv", "y,kind,a\n3,z,5\n1,y,\n");
  const Datasets data = Make(
      "format: csv, train: t.csv, test: u.csv, target: y, one_hot: [kind], missing: mean, scale: "
      "min_max",
      "input: [3], layers: [dense: 1], loss: mean_squared_error");
  EXPECT_EQ(All(*data.train).values, (std::vector<float>{0, 1, 0, 0.5, 0, 1, 1, 1, 0}));
  EXPECT_EQ(All(*data.train).targets, (std::vector<float>{0, 0.25, 1}));
  EXPECT_EQ(All(*data.test).values, (std::vector<float>{2, 0, 0, 0.5, 0, 1}));
  EXPECT_EQ(All(*data.test).targets, (std::vector<float>{0.5, 0}));
  EXPECT_EQ(data.test->target_unit(), 4);
}

TEST_F(MakeTest, SeveralInputsAreBlocksAndIdsStayWhole) {
  Write("t.csv", "user,item,y\nann,7,1\nbob,3,2\nann,5,3\n");
  const Datasets data = Make(
      "format: csv, train: t.csv, target: y, inputs: {item: item, user: user}, index: [user], "
      "scale: "
      "standard",
      "inputs: {user: [1], item: [1]}, loss: mean_squared_error, layers: [{name: u, inputs: "
      "[user], "
      "embedding: {vocabulary: 2, width: 3}}, {name: i, inputs: [item], embedding: {vocabulary: 8, "
      "width: 3}}, {inputs: [u, i], dot: }]");
  EXPECT_EQ(data.train->sample_sizes(), (std::vector<int64_t>{1, 1}));
  Batch batch;
  data.train->Fill({1, 2}, nullptr, &batch);
  EXPECT_EQ(batch.values, (std::vector<float>{1, 0, 3, 5})) << "all users, then all items";
}

TEST_F(MakeTest, ARandomTestIsDrawnBySeedAlone) {
  std::string text = "a,b,y\n";
  for (int i = 0; i < 100; ++i) absl::StrAppend(&text, i, ",0,", i, "\n");
  Write("t.csv", text);
  const std::string data = "format: csv, train: t.csv, target: y, test_fraction: 0.2";
  const Datasets one = Make(data, kTwo, 1), again = Make(data, kTwo, 1),
                 other = Make(data, kTwo, 2);
  EXPECT_EQ(one.test->count(), 20);
  EXPECT_EQ(one.test->digest(), again.test->digest());
  EXPECT_NE(one.test->digest(), other.test->digest());
  std::vector<float> seen = All(*one.train).targets;
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end())) << "in the file's order";
  const std::vector<float> test = All(*one.test).targets;
  seen.insert(seen.end(), test.begin(), test.end());
  std::sort(seen.begin(), seen.end());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], static_cast<float>(i));
}

TEST_F(MakeTest, WindowsSlideOverASeries) {
  std::string text = "month,v\n";
  for (int i = 0; i < 10; ++i) absl::StrAppend(&text, "m", i, ",", i, "\n");
  Write("t.csv", text);
  const Datasets data = Make(
      "format: csv, train: t.csv, target: v, test_fraction: 0.3, window: {steps: 3, horizon: 2}",
      "input: [3, 1], layers: [flatten, dense: 2], loss: mean_squared_error");
  // Rows 0..6 are trained on: targets begin at rows 3, 4, 5. Rows 7..9: at 7 and 8.
  EXPECT_EQ(All(*data.train).values, (std::vector<float>{0, 1, 2, 1, 2, 3, 2, 3, 4}));
  EXPECT_EQ(All(*data.train).targets, (std::vector<float>{3, 4, 4, 5, 5, 6}));
  EXPECT_EQ(All(*data.test).values, (std::vector<float>{4, 5, 6, 5, 6, 7}));
  EXPECT_EQ(All(*data.test).targets, (std::vector<float>{7, 8, 8, 9}));
}

TEST_F(MakeTest, ArraysBecomeSamples) {
  Write("a.npz",
        table::Zip({{"x.npy",
                     table::Npy<uint8_t>("|u1", "(4, 2)", {0, 51, 102, 153, 204, 255, 1, 2}), true},
                    {"y.npy", table::Npy<int64_t>("<i8", "(4,)", {2, 0, 1, 2}), true}}));
  const Datasets data = Make(
      "format: npy, train: {values: a.npz:x, target: a.npz:y}, test_fraction: 0.5, split: last",
      "input: [2], divide_by: 255, layers: [dense: 3]");
  const auto value = [](int byte) { return static_cast<float>(byte) / 255.0f; };
  EXPECT_EQ(All(*data.train).values,
            (std::vector<float>{value(0), value(51), value(102), value(153)}));
  EXPECT_EQ(All(*data.train).labels, (std::vector<int32_t>{2, 0}));
  EXPECT_EQ(All(*data.test).labels, (std::vector<int32_t>{1, 2}));
  Write("x.npy", table::Npy<double>("<f8", "(2, 2)", {1, 2, 3, 4}));
  Write("y.npy", table::Npy<float>("<f4", "(2, 1)", {0.5, 0.25}));
  const Datasets floats = Make(
      "format: npy, train: {values: x.npy, target: y.npy}, test: {values: x.npy, target: y.npy}",
      kTwo);
  EXPECT_EQ(All(*floats.test).targets, (std::vector<float>{0.5, 0.25}));
  EXPECT_EQ(floats.train->digest(), floats.test->digest());
}

TEST_F(MakeTest, TheDigestKnowsEveryPart) {
  const auto digest = [&](const std::string& text, const std::string& features) {
    Write("t.csv", text);
    return Make("format: csv, train: t.csv, target: y, features: " + features,
                "input: [2], layers: [dense: 1], loss: mean_squared_error")
        .train->digest();
  };
  const std::string base = digest("a,b,y\n1,2,3\n", "[a, b]");
  EXPECT_EQ(digest("y,b,a\n3,2,1\n", "[a, b]"), base);
  EXPECT_NE(digest("a,b,y\n1,2,3\n", "[b, a]"), base);
  EXPECT_NE(digest("a,b,y\n1,2,4\n", "[a, b]"), base);
  EXPECT_NE(digest("a,b,y\n1,2,3\n1,2,3\n", "[a, b]"), base);
}

constexpr char kNext[] =
    "input: [4], layers: [embedding: {vocabulary: 9, width: 2}, dense: 9], loss: "
    "softmax_cross_entropy";

TEST_F(MakeTest, ATextIsHeldAgainstTheNextCharacter) {
  Write("t.txt", "abcdefghiabc");
  const Datasets data = Make("format: text, train: t.txt, test_fraction: 0.42", kNext);
  // Seven characters are trained on, five tested: one sample of four each, with the one behind it.
  EXPECT_EQ(data.train->count(), 1);
  EXPECT_EQ(All(*data.train).values, (std::vector<float>{0, 1, 2, 3}));
  EXPECT_EQ(All(*data.train).labels, (std::vector<int32_t>{1, 2, 3, 4}));
  EXPECT_EQ(All(*data.test).values, (std::vector<float>{7, 8, 0, 1}));
  EXPECT_EQ(data.train->labels().size(), 9u);

  Write("u.txt", "cba");
  const std::string last =
      "input: [2], layers: [embedding: {vocabulary: 9, width: 2}, last, dense: 9], loss: "
      "softmax_cross_entropy";
  const Datasets two = Make("format: text, train: t.txt, test: u.txt", last);
  EXPECT_EQ(All(*two.train).labels, (std::vector<int32_t>{2, 4, 6, 8, 1}));
  EXPECT_EQ(All(*two.test).values, (std::vector<float>{2, 1}));
  EXPECT_EQ(All(*two.test).labels, (std::vector<int32_t>{0}));
}

TEST_F(MakeTest, TrainingCutsATextAtDrawnPlaces) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes.push_back(static_cast<char>('a' + (i * i * 7 + i / 3) % 9));
  Write("t.txt", bytes);
  const Datasets data = Make("format: text, train: t.txt", kNext);
  ASSERT_EQ(data.train->count(), 249);
  std::vector<uint32_t> indices(249);
  for (size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<uint32_t>(i);
  const RandomStream stream = RandomStream::Make(7, RandomPurpose::kSamples, 0, 0, 0);
  Batch batch, again;
  data.train->Fill(indices, &stream, &batch);
  data.train->Fill(indices, &stream, &again);
  EXPECT_EQ(batch.values, again.values);
  std::vector<int> shifts(4);
  for (size_t i = 0; i < indices.size(); ++i) {
    const auto at = [&](size_t shift, size_t t) {
      const size_t place = i * 4 + shift + t;
      return place < bytes.size() ? bytes[place] - 'a' : -1;
    };
    size_t shift = 0;
    const auto fits = [&] {
      for (size_t t = 0; t < 4; ++t) {
        if (at(shift, t) != static_cast<int>(batch.values[i * 4 + t])) return false;
        if (at(shift, t + 1) != batch.labels[i * 4 + t]) return false;
      }
      return true;
    };
    while (shift < 4 && !fits()) ++shift;
    ASSERT_LT(shift, 4u) << "sample " << i;
    ++shifts[shift];
  }
  for (const int count : shifts) EXPECT_GT(count, 30);
}

TEST_F(MakeTest, WhatIsMarkedIsNotTrainedOnButTested) {
  Write("t.csv", "v,bad\n1,0\n2,0\n3,1\n4,0\n5,0\n9,0\n9,1\n7,0\n7,0\n");
  const std::string model = "input: [2, 1], layers: [flatten, dense: 2], loss: mean_squared_error";
  const Datasets data = Make(
      "format: csv, train: t.csv, test_fraction: 0.45, features: [v], reconstruct: true, anomaly: "
      "bad, window: {steps: 2}",
      model);
  EXPECT_EQ(data.train->count(), 2);
  EXPECT_EQ(All(*data.train).values, (std::vector<float>{1, 2, 4, 5}));
  EXPECT_EQ(All(*data.train).targets, (std::vector<float>{1, 2, 4, 5}));
  EXPECT_TRUE(data.train->anomalies().empty());
  EXPECT_EQ(All(*data.test).values, (std::vector<float>{9, 9, 9, 7, 7, 7}));
  const absl::Span<const uint8_t> marks = data.test->anomalies();
  EXPECT_EQ(std::vector<int>(marks.begin(), marks.end()), (std::vector<int>{1, 1, 0}));
}

TEST_F(MakeTest, ScalingIsThatOfUnmarkedRows) {
  Write("t.csv", "v,bad\n1,0\n1000,1\n3,0\n");
  const Datasets data =
      Make("format: csv, train: t.csv, reconstruct: true, anomaly: bad, scale: min_max",
           "input: [1], layers: [dense: 1], loss: mean_squared_error");
  EXPECT_EQ(All(*data.train).values, (std::vector<float>{0, 1}));
  EXPECT_EQ(data.train->target_unit(), 2);
}

}  // namespace
}  // namespace baton::trainer
