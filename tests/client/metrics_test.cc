#include "client/metrics.h"

#include <gtest/gtest.h>

namespace baton::client {
namespace {

TEST(MetricLines, LinesMayComeInPieces) {
  MetricLines metrics;
  metrics.Add(1, 0, R"({"step":1,"lo)");
  EXPECT_TRUE(metrics.Rows().empty());
  metrics.Add(1, 0, "ss\":0.5}\n{\"step\":2,\"loss\":0.25}\n");
  ASSERT_EQ(metrics.Rows().size(), 2u);
  EXPECT_EQ(metrics.Rows()[1]["loss"], 0.25);
}

TEST(MetricLines, WhatALaterAttemptDidAgainReplacesWhatWasUndone) {
  MetricLines metrics;
  for (int step = 1; step <= 5; ++step) {
    metrics.Add(1, 0, "{\"step\":" + std::to_string(step) + ",\"loss\":1}\n");
  }
  metrics.Add(2, 0, "{\"step\":4,\"loss\":2}\n");
  const auto rows = metrics.Rows();
  ASSERT_EQ(rows.size(), 4u);  // 1, 2, 3 of the first attempt, 4 of the second
  EXPECT_EQ(rows[2]["loss"], 1);
  EXPECT_EQ(rows[3]["loss"], 2);
  EXPECT_EQ(rows[3]["attempt"], 2);
}

// Neither the line of the resume itself nor that of a card does a step again.
TEST(MetricLines, AResumeUndoesNothingBeforeIt) {
  MetricLines metrics;
  metrics.Add(1, 0, "{\"step\":1,\"loss\":4}\n{\"step\":2,\"loss\":3}\n{\"step\":3,\"loss\":2}\n");
  metrics.Add(2, 0,
              "{\"gpu\":0}\n{\"event\":\"resumed\",\"from_step\":2,\"restore_s\":0.5}\n"
              "{\"gpu\":0}\n{\"step\":3,\"loss\":2}\n");
  EXPECT_EQ(metrics.Csv(),
            "step,time,loss,gpu,from_step,restore_s,attempt,rank\n"
            "0,,,0,,,2,0\n"
            "1,,4,,,,1,0\n"
            "2,,3,,,,1,0\n"
            "2,,,,2,0.5,2,0\n"
            "2,,,0,,,2,0\n"
            "3,,2,,,,2,0\n");
  EXPECT_EQ(metrics.Lines().size(), 7u);
}

TEST(MetricLines, ALineOfTextsIsNoRowOfTheTable) {
  MetricLines metrics;
  metrics.Add(1, 0, "{\"step\":100,\"loss\":4}\n{\"step\":100,\"time\":5,\"chain\":\"ab\"}\n");
  EXPECT_EQ(metrics.Csv(), "step,time,loss,attempt,rank\n100,,4,1,0\n");
  EXPECT_EQ(metrics.Rows().size(), 2u);
}

TEST(MetricLines, WhatIsNoMetricIsSkipped) {
  MetricLines metrics;
  metrics.Add(1, 0, "hello\n[1]\n{\"step\":\"x\"}\n\xff\xfe\n{\"step\":1}\n{\"step\":1.5}\n");
  EXPECT_EQ(metrics.Rows().size(), 1u);
}

TEST(MetricLines, LinesWithoutAStepAreCountedOn) {
  MetricLines metrics;
  metrics.Add(1, 0, "{\"loss\":4}\n{\"loss\":3}\n{\"gpu\":0,\"gpu_utilization\":1}\n");
  metrics.Add(1, 1, "{\"step\":7,\"loss\":2}\n{\"loss\":1}\n");
  EXPECT_EQ(metrics.Csv(),
            "step,time,loss,gpu,gpu_utilization,attempt,rank\n"
            "1,,4,,,1,0\n"
            "2,,3,,,1,0\n"
            "2,,,0,1,1,0\n"
            "7,,2,,,1,1\n"
            "8,,1,,,1,1\n");
}

TEST(MetricLines, CsvHasAColumnPerNumber) {
  MetricLines metrics;
  metrics.Add(1, 0,
              "{\"step\":1,\"time\":10.5,\"loss\":0.5}\n{\"step\":2,\"time\":11,\"acc\":1}\n");
  EXPECT_EQ(metrics.Csv(),
            "step,time,loss,acc,attempt,rank\n"
            "1,10.5,0.5,,1,0\n"
            "2,11,,1,1,0\n");
}

}  // namespace
}  // namespace baton::client
