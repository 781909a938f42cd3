#include "common/metrics/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baton {
namespace {

using testing::HasSubstr;

std::string Refusal(const std::string& name, const std::string& pattern) {
  return std::string(CheckMetricPattern(name, pattern).message());
}

TEST(MetricPattern, TakesANameAndAnExpressionWithAGroup) {
  EXPECT_EQ(Refusal("val_acc", "acc=(\\S+)"), "");
  EXPECT_EQ(Refusal("loss/train.1-b", "(?i)loss[:=] *([0-9.e-]+)"), "");
  EXPECT_EQ(Refusal("step", "^Epoch (\\d+)"), "");
}

TEST(MetricPattern, SaysWhatIsWrongAndWhatToDo) {
  EXPECT_THAT(Refusal("val acc", "(.)"), HasSubstr("no name of a metric"));
  EXPECT_THAT(Refusal("", "(.)"), HasSubstr("no name of a metric"));
  EXPECT_THAT(Refusal(std::string(129, 'a'), "(.)"), HasSubstr("no name of a metric"));
  EXPECT_THAT(Refusal("time", "(.)"), HasSubstr("for itself"));
  EXPECT_THAT(Refusal("a", "acc=(\\S+"), HasSubstr("no regular expression"));
  EXPECT_THAT(Refusal("a", "acc=\\S+"), HasSubstr("has no group"));
  EXPECT_THAT(Refusal("a", "(?=acc)(.)"), HasSubstr("no regular expression"));
  EXPECT_THAT(Refusal("a", std::string(1'025, 'a')), HasSubstr("at most 1024"));
}

}  // namespace
}  // namespace baton
