#include "scheduler/state/reach.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/random.h"

namespace baton::state {
namespace {

TEST(ReachTest, APairIsShownOnceBothHaveTold) {
  Reach reach;
  reach.Add("a");
  reach.Add("b");
  const int32_t a = reach.SlotOf("a");
  const int32_t b = reach.SlotOf("b");
  EXPECT_EQ(reach.unshown(), 2);
  EXPECT_EQ(reach.Ask("a", "b"), Reach::Seen::kUntold);
  reach.Tell("a", "b", "");
  EXPECT_EQ(reach.Ask("a", "b"), Reach::Seen::kReached);
  EXPECT_FALSE(reach.Mutual(a, b));
  reach.Tell("b", "a", "connection refused");
  EXPECT_EQ(reach.Ask("b", "a"), Reach::Seen::kFailed);
  EXPECT_EQ(reach.Error("b", "a"), "connection refused");
  EXPECT_FALSE(reach.Mutual(a, b));
  EXPECT_TRUE(HasBit(reach.FailedOf(a), b));
  EXPECT_TRUE(HasBit(reach.FailedOf(b), a));
  EXPECT_EQ(reach.unshown(), 1);
  reach.Tell("b", "a", "");
  EXPECT_TRUE(reach.Mutual(a, b));
  EXPECT_TRUE(HasBit(reach.MutualOf(a), b));
  EXPECT_FALSE(HasBit(reach.FailedOf(a), b));
  EXPECT_EQ(reach.Error("b", "a"), "");
  EXPECT_EQ(reach.unshown(), 0);
}

TEST(ReachTest, WhoComesBackOrTakesAnothersSlotHasNothingShown) {
  Reach reach;
  for (const char* node : {"a", "b", "c"}) reach.Add(node);
  reach.Tell("a", "b", "");
  reach.Tell("b", "a", "");
  reach.Add("b");
  EXPECT_EQ(reach.Ask("a", "b"), Reach::Seen::kUntold);
  EXPECT_EQ(reach.unshown(), 6);
  reach.Tell("a", "b", "");
  reach.Tell("b", "a", "");
  const int32_t slot = reach.SlotOf("b");
  reach.Remove("b");
  EXPECT_EQ(reach.SlotOf("b"), -1);
  EXPECT_EQ(reach.unshown(), 2);
  reach.Add("d");
  EXPECT_EQ(reach.SlotOf("d"), slot);
  EXPECT_FALSE(reach.Mutual(reach.SlotOf("a"), slot));
  reach.Remove("nobody");
}

TEST(ReachTest, KeepsTheWordsOfTheFirstFailuresOnly) {
  Reach reach;
  reach.Add("a");
  for (int i = 0; i < 100; ++i) {
    reach.Add(absl::StrCat("n", i));
    reach.Tell("a", absl::StrCat("n", i), "timed out");
  }
  EXPECT_EQ(reach.Error("a", "n0"), "timed out");
  EXPECT_EQ(reach.Error("a", "n99"), "");
  EXPECT_EQ(reach.Ask("a", "n99"), Reach::Seen::kFailed);
}

// Against a plain map of pairs; and through its rows, as the log has them.
TEST(ReachTest, AgreesWithAPlainMap) {
  const uint64_t seed = 5;
  Random random(seed);
  Reach reach;
  std::set<NodeId> nodes;
  std::map<std::pair<NodeId, NodeId>, std::string> told;
  for (int round = 0; round < 20'000; ++round) {
    const NodeId a = absl::StrCat("node-", random.Below(90));
    const NodeId b = absl::StrCat("node-", random.Below(90));
    const uint64_t what = random.Below(20);
    if (what < 2) {
      std::erase_if(
          told, [&](const auto& pair) { return pair.first.first == a || pair.first.second == a; });
      if (what == 0) {
        reach.Add(a);
        nodes.insert(a);
      } else {
        reach.Remove(a);
        nodes.erase(a);
      }
    } else if (a != b && nodes.count(a) != 0 && nodes.count(b) != 0) {
      const std::string error = what < 6 ? "refused" : "";
      reach.Tell(a, b, error);
      told[{a, b}] = error;
    }
    if (round % 500 != 0) continue;
    int64_t reached = 0;
    for (const NodeId& x : nodes) {
      const Reach::Bits mutual = reach.MutualOf(reach.SlotOf(x));
      const Reach::Bits failed = reach.FailedOf(reach.SlotOf(x));
      for (const NodeId& y : nodes) {
        if (x == y) continue;
        const auto there = told.find({x, y});
        const auto back = told.find({y, x});
        const bool ok = there != told.end() && there->second.empty();
        const bool both = ok && back != told.end() && back->second.empty();
        const bool bad = (there != told.end() && !there->second.empty()) ||
                         (back != told.end() && !back->second.empty());
        reached += ok;
        ASSERT_EQ(reach.Ask(x, y), there == told.end() ? Reach::Seen::kUntold
                                   : ok                ? Reach::Seen::kReached
                                                       : Reach::Seen::kFailed);
        ASSERT_EQ(HasBit(mutual, reach.SlotOf(y)), both) << "seed " << seed;
        ASSERT_EQ(reach.Mutual(reach.SlotOf(x), reach.SlotOf(y)), both);
        ASSERT_EQ(HasBit(failed, reach.SlotOf(y)), bad) << "seed " << seed;
      }
    }
    const auto count = static_cast<int64_t>(nodes.size());
    ASSERT_EQ(reach.unshown(), count * (count - 1) - reached);
    Reach back;
    back.asked_ms = reach.asked_ms;
    ASSERT_TRUE(back.SetRows(reach.rows()));
    ASSERT_EQ(back, reach) << "seed " << seed << " round " << round;
  }
}

TEST(ReachTest, RowsThatCanNotBeAreRefused) {
  Reach reach;
  Reach::Row a;
  a.node = "a";
  EXPECT_TRUE(reach.SetRows({a}));
  EXPECT_FALSE(reach.SetRows({a, a}));
  Reach::Row nobody;
  SetBit(&nobody.tried, 1);
  EXPECT_FALSE(reach.SetRows({nobody, a}));
}

}  // namespace
}  // namespace baton::state
