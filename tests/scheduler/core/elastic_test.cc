// Bounds of gangs that change, which take too many commands for a scenario.
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/scheduler/core/scenario.h"

namespace baton::core {
namespace {

class ElasticTest : public testing::Test {
 protected:
  std::string Run(const std::string& line) {
    const std::string told = scenario_.Run(line);
    EXPECT_FALSE(absl::StrContains(told, "BROKEN")) << line << ": " << told;
    return told;
  }
  void Start(int tasks) {
    for (int i = 0; i < tasks; ++i) Run(absl::StrCat("report j/", i, " prepared"));
    for (int i = 0; i < tasks; ++i) Run(absl::StrCat("report j/", i, " running"));
    Run("report j/0 first-step first=1 generation=1");
  }

  Scenario scenario_;
};

// Member after member is lost and replaced by a new one, under a new number each time.
TEST_F(ElasticTest, AfterSoManyTasksTheNextLossEndsTheAttempt) {
  Run("node a cpus=4");
  Run("submit j ranks=1..2 shards=2 cpus=2 retries=0");
  Start(2);
  int generation = 1;
  std::string told;
  for (int next = 2; next < 256; ++next) {
    told = Run(absl::StrCat("report j/", next - 1, " exited code=-9"));
    ASSERT_TRUE(absl::StrContains(told, "reformed")) << next << ": " << told;
    told = Run(absl::StrCat("report j/0 first-step generation=", ++generation));
    ASSERT_TRUE(absl::StrContains(told, absl::StrCat("task ", next, " is prepared"))) << told;
    Run(absl::StrCat("report j/", next, " prepared"));
    Run(absl::StrCat("report j/", next, " running"));
    told = Run(absl::StrCat("ready j/", next));
    ASSERT_TRUE(absl::StrContains(told, "has 2 ranks")) << told;
    Run(absl::StrCat("report j/0 first-step generation=", ++generation));
  }
  told = Run("report j/255 exited code=-9");
  EXPECT_FALSE(absl::StrContains(told, "reformed")) << told;
  EXPECT_TRUE(absl::StrContains(told, "stop j/0")) << told;
}

// A gang that begins with more has a record of that size anyway.
TEST_F(ElasticTest, ALargeGangLosesMembersLikeAnyOther) {
  Run("node a cpus=600");
  Run("submit j ranks=1..300 shards=600 cpus=2");
  Start(300);
  EXPECT_TRUE(absl::StrContains(Run("report j/7 exited code=-9"), "has 200 ranks"));
}

// Words that flood in cost one change each at most, and what is decided stays bounded.
TEST_F(ElasticTest, AFloodOfAccusationsEndsInOneDecision) {
  Run("node a cpus=60");
  Run("submit j ranks=1..30 shards=30 cpus=2");
  Start(30);
  for (int by = 0; by < 30; ++by) {
    for (int of = 0; of < 30; ++of) {
      for (int again = 0; again < 2; ++again) Run(absl::StrCat("lost j/", by, " rank=", of));
    }
  }
  // Each two miss each other: one is left.
  const std::string told = Run("after 1s");
  EXPECT_TRUE(absl::StrContains(told, "generation 2 has 1 rank: task 0")) << told;
}

// Failing joiners are tried again ever more slowly.
TEST_F(ElasticTest, GrowthBacksOff) {
  Run("node a cpus=2");
  Run("submit j ranks=1..2 shards=2 cpus=2");
  Run("report j/0 running");
  Run("report j/0 first-step first=1 generation=1");
  Run("node b cpus=2");
  int64_t wait_s = 30;
  for (int task = 1; task < 5; ++task, wait_s *= 2) {
    const std::string told = Run(absl::StrCat("report j/", task, " failed error=x"));
    EXPECT_TRUE(absl::StrContains(told, absl::StrCat("for ", wait_s, " s"))) << told;
    EXPECT_EQ(Run(absl::StrCat("after ", wait_s - 1, "s")), "");
    EXPECT_TRUE(absl::StrContains(Run("after 1s"), absl::StrCat("task ", task + 1)));
  }
}

}  // namespace
}  // namespace baton::core
