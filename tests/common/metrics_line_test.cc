#include "common/metrics_line.h"

#include <gtest/gtest.h>

#include <limits>

namespace baton {
namespace {

TEST(MetricsLine, NumbersThatAreNoneBecomeNull) {
  EXPECT_EQ(PlainMetricsLine(R"({"step": 7, "loss": NaN, "a": -Infinity, "b": [Infinity]})"),
            R"({"step": 7, "loss": null, "a": null, "b": [null]})");
}

TEST(MetricsLine, StringsAndEverythingElseStay) {
  for (const char* line : {R"({"NaN": "NaN \" Infinity", "x": 1})", R"({"a": "\\", "b": 1})", "",
                           R"("open NaN)", R"(\)", "na nan inf"}) {
    EXPECT_EQ(PlainMetricsLine(line), line);
  }
}

TEST(MetricsLine, AStepIsAWholeNumberFromZeroOn) {
  EXPECT_EQ(StepOfNumber(0), 0);
  EXPECT_EQ(StepOfNumber(7.0), 7);
  for (const double none : {-1.0, 1.5, 1e16, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_FALSE(StepOfNumber(none).has_value()) << none;
  }
}

}  // namespace
}  // namespace baton
