// From raw outputs to what people read, against the formulas.
#include "trainer/predict/meaning.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/spec/parse.h"
#include "common/spec/shapes.h"
#include "trainer/predict/output.h"
#include "trainer/predict/predict.h"

namespace baton::trainer {
namespace {

Subject SubjectOf(const std::string& data, const std::string& model) {
  Subject subject;
  subject.card.spec = *spec::ParseText(
      absl::StrCat("epochs: 1\nbatch_size: 4\noptimizer: {name: sgd, lr: 0.1}\ndata: {", data,
                   "}\nmodel: {", model, "}\n"),
      "s.yaml");
  const spec::Model& parsed = subject.card.spec.native->model;
  subject.plan = *PlanOperations(parsed);
  subject.output = spec::InferShapes(parsed)->back().out;
  return subject;
}

constexpr char kIdx[] = "train: {images: a, labels: b}";

TEST(Meaning, ClassesAreSoftmax) {
  Subject subject = SubjectOf(kIdx, "input: [1, 2, 2], layers: [flatten, dense: 3]");
  subject.card.labels = {"a", "b", "c"};
  const Meaning meaning = MeaningOf(subject);
  EXPECT_EQ(meaning.names, subject.card.labels);
  const std::vector<float> outputs = {900, 898, -5};  // e^900 is no double
  const std::vector<double> scores = Scores(meaning, {}, outputs);
  EXPECT_NEAR(scores[0], 1 / (1 + std::exp(-2.0)), 1e-12);
  EXPECT_NEAR(scores[0] + scores[1] + scores[2], 1, 1e-12);
  EXPECT_EQ(CsvFormat(meaning, 0)->Header(), "sample,label,score,a,b,c\n");
  EXPECT_EQ(CsvFormat(meaning, 9)->Header(),
            "sample,label_1,score_1,label_2,score_2,label_3,score_3\n");
}

TEST(Meaning, PositionsAreRowsOfTheirOwn) {
  const Subject subject =
      SubjectOf("format: npy, train: {values: x.npy, target: y.npy}, classes: 2",
                "input: [3, 4], layers: [dense: 2]");
  const Meaning meaning = MeaningOf(subject);
  EXPECT_EQ(meaning.rows, 3);
  const std::vector<float> outputs = {0, 1, 1, 0, 0, 0};
  const std::string text = CsvFormat(meaning, 1)->Sample("s,1", Scores(meaning, {}, outputs));
  EXPECT_EQ(text, "\"s,1\",0,1,0.7310586\n\"s,1\",1,0,0.7310586\n\"s,1\",2,0,0.5\n");
}

TEST(Meaning, OneOutputHasTwoSides) {
  Subject subject = SubjectOf("format: csv, train: t.csv, target: y, features: [a]",
                              "input: [1], layers: [dense: 1], loss: binary_cross_entropy");
  EXPECT_EQ(MeaningOf(subject).sides, (std::vector<std::string>{"0", "1"}));
  subject.card.labels = {"no", "yes"};
  const Meaning meaning = MeaningOf(subject);
  for (const float output : {-800.0f, -1.5f, 0.0f, 1.5f, 800.0f}) {
    const std::vector<double> scores = Scores(meaning, {}, {output});
    EXPECT_NEAR(scores[0], 1 / (1 + std::exp(-static_cast<double>(output))), 1e-12);
    const std::string side = output > 0 ? "yes" : "no";
    EXPECT_EQ(CsvFormat(meaning, 0)->Sample("0", scores).substr(0, 3 + side.size()),
              "0," + side + ",");
  }
}

TEST(Meaning, ForecastsComeBackToTheirUnit) {
  Subject subject = SubjectOf(
      "format: csv, train: t.csv, target: [a, b], scale: standard, window: {steps: 2, horizon: 2}",
      "input: [2, 2], layers: [flatten, dense: 4], loss: mean_squared_error");
  TableEncoding table;
  table.columns = {{"a", spec::ColumnUse::kNumber, 1, 10, 2, {}},
                   {"b", spec::ColumnUse::kNumber, 1, -1, 5, {}}};
  table.inputs = {{0, 1}};
  table.targets = {0, 1};
  subject.card.table = table;
  const Meaning meaning = MeaningOf(subject);
  EXPECT_EQ(meaning.names, (std::vector<std::string>{"a+1", "b+1", "a+2", "b+2"}));
  EXPECT_EQ(Scores(meaning, {}, {1, 1, -1, 0}), (std::vector<double>{12, 4, 8, -1}));
}

TEST(Meaning, WhatGivesBackItsInputIsJudgedByItsError) {
  for (const auto& [loss, error] :
       {std::pair("mean_squared_error", 2.5), std::pair("mean_absolute_error", 1.5)}) {
    const Subject subject = SubjectOf("format: csv, train: t.csv, reconstruct: true, anomaly: bad",
                                      absl::StrCat("input: [2], layers: [dense: 2], loss: ", loss));
    const Meaning meaning = MeaningOf(subject);
    EXPECT_EQ(meaning.names, std::vector<std::string>{"error"});
    EXPECT_EQ(Scores(meaning, {3, 5}, {2, 7}), std::vector<double>{error});
  }
}

TEST(Meaning, BestIsInOrderAndNanLast) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(Best({0.1, 0.4, 0.4, 0.05}, 3), (std::vector<size_t>{1, 2, 0}));
  EXPECT_EQ(Best({nan, 0.4, nan}, 9), (std::vector<size_t>{1, 0, 2}));
}

}  // namespace
}  // namespace baton::trainer
