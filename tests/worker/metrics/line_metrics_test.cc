#include "worker/metrics/line_metrics.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"

namespace baton::worker {
namespace {

using nlohmann::json;
using Patterns = std::vector<MetricPattern>;

constexpr int64_t kNow = 1'700'000'000'500;
constexpr double kSeconds = 1'700'000'000.5;

std::vector<json> Parsed(const std::string& lines) {
  std::vector<json> parsed;
  for (const absl::string_view line : absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    parsed.push_back(json::parse(line.begin(), line.end()));
  }
  return parsed;
}

TEST(LineMetrics, FindsValuesWithTheStepOfThisLineOrOneBefore) {
  LineMetrics metrics(
      {{"step", "^Epoch (\\d+)"}, {"val_acc", "acc=(\\S+)"}, {"loss", "loss: (\\S+)"}});
  EXPECT_EQ(metrics.Take("acc=0.5\nEpoch 1/3\n", kNow),
            "{\"time\":1700000000.5,\"val_acc\":0.5}\n");
  EXPECT_EQ(
      Parsed(metrics.Take("loss: 1.5, acc=0.25, done\n", kNow)),
      (std::vector<json>{{{"step", 1}, {"time", kSeconds}, {"val_acc", 0.25}, {"loss", 1.5}}}));
  EXPECT_EQ(Parsed(metrics.Take("Epoch 2 loss: 1e-3\nnothing\n", kNow)),
            (std::vector<json>{{{"step", 2}, {"time", kSeconds}, {"loss", 0.001}}}));
  EXPECT_EQ(metrics.TakeProblem(), "");
}

TEST(LineMetrics, WithoutAStepEpochsCount) {
  LineMetrics metrics({{"acc", "acc=(\\S+)"}, {"epoch", "Epoch (\\d+)"}});
  EXPECT_EQ(Parsed(metrics.Take("Epoch 3\nacc=0.5\n", kNow)),
            (std::vector<json>{{{"step", 3}, {"time", kSeconds}, {"epoch", 3.0}},
                               {{"step", 3}, {"time", kSeconds}, {"acc", 0.5}}}));
  LineMetrics both({{"epoch", "Epoch (\\d+)"}, {"step", "step (\\d+)"}});
  EXPECT_EQ(Parsed(both.Take("step 70 Epoch 3\n", kNow)),
            (std::vector<json>{{{"step", 70}, {"time", kSeconds}, {"epoch", 3.0}}}));
}

TEST(LineMetrics, ALineMayComeInPiecesAndEndWithACarriageReturn) {
  LineMetrics metrics(Patterns{{"loss", "loss=(\\S+)"}});
  EXPECT_EQ(metrics.Take("10%|# | loss=", kNow), "");
  EXPECT_EQ(Parsed(metrics.Take("0.5]\r 20%|##| loss=0.25\r\nlo", kNow)),
            (std::vector<json>{{{"time", kSeconds}, {"loss", 0.5}},
                               {{"time", kSeconds}, {"loss", 0.25}}}));
  EXPECT_EQ(metrics.Take("ss=7", kNow), "");
  EXPECT_EQ(Parsed(metrics.End(kNow)), (std::vector<json>{{{"time", kSeconds}, {"loss", 7.0}}}));
  EXPECT_EQ(metrics.End(kNow), "");
}

TEST(LineMetrics, ColoursAndPunctuationAreNoPartOfANumber) {
  LineMetrics metrics({{"a", "a=(\\S+)"}, {"b", "b=(\\S+)"}});
  EXPECT_EQ(Parsed(metrics.Take("a=\x1b[1;32m0.5\x1b[0m b=(97.5%);\n", kNow)),
            (std::vector<json>{{{"time", kSeconds}, {"a", 0.5}, {"b", 97.5}}}));
}

TEST(LineMetrics, WhatIsNoNumberIsToldOnce) {
  LineMetrics metrics(Patterns{{"a", "a=(\\S+)"}});
  EXPECT_EQ(metrics.Take("a=much\na=more\n", kNow), "");
  EXPECT_EQ(metrics.TakeProblem(),
            "metrics.a: 'much' is no number; such lines are passed over. Printed was: a=much");
  EXPECT_EQ(metrics.TakeProblem(), "");
  EXPECT_EQ(Parsed(metrics.Take("a=nan\n", kNow)),
            (std::vector<json>{{{"time", kSeconds}, {"a", nullptr}}}));
}

TEST(LineMetrics, AStepThatIsNoneIsToldAndTheOneBeforeStays) {
  LineMetrics metrics({{"step", "step (\\S+)"}, {"a", "a=(\\S+)"}});
  EXPECT_EQ(Parsed(metrics.Take("step 4\nstep 1.5 a=1\n", kNow)),
            (std::vector<json>{{{"step", 4}, {"time", kSeconds}, {"a", 1.0}}}));
  EXPECT_EQ(metrics.TakeProblem(),
            "metrics.step: '1.5' is no whole number from 0 on; such lines are passed over. Printed "
            "was: step 1.5 a=1");
}

TEST(LineMetrics, AnEndlessLineTakesNoMemoryAndBytesThatAreNoTextDoNoHarm) {
  LineMetrics metrics(Patterns{{"a", "a=(\\S+)"}});
  const std::string much(1 << 20, 'x');
  for (int i = 0; i < 8; ++i) EXPECT_EQ(metrics.Take(much, kNow), "");
  EXPECT_EQ(metrics.Take(" a=1\n", kNow), "");
  EXPECT_EQ(Parsed(metrics.Take("\xff\xfe a=2\n", kNow)),
            (std::vector<json>{{{"time", kSeconds}, {"a", 2.0}}}));
  EXPECT_EQ(metrics.Take(std::string("a=\xff\n"), kNow), "");
}

}  // namespace
}  // namespace baton::worker
