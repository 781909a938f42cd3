#include "scheduler/policy/regroup.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/random.h"

namespace baton::policy {
namespace {

using Numbers = std::vector<int32_t>;

Gang GangOf(int32_t size, std::vector<state::Accusation> accusations,
            std::set<int32_t> ended = {}) {
  Gang gang;
  for (int32_t i = 0; i < size; ++i) gang.members.push_back(i);
  gang.accusations = std::move(accusations);
  gang.ended = std::move(ended);
  return gang;
}

TEST(WhoGoesOn, WithoutTheDead) {
  EXPECT_EQ(WhoGoesOn(GangOf(4, {}, {2})), Numbers({0, 1, 3}));
  EXPECT_EQ(WhoGoesOn(GangOf(3, {}, {0, 1, 2})), Numbers());
}

TEST(WhoGoesOn, OneThatIsAccusedAndSilentIsOut) {
  EXPECT_EQ(WhoGoesOn(GangOf(4, {{0, 2}, {1, 2}, {3, 2}})), Numbers({0, 1, 3}));
}

TEST(WhoGoesOn, OfTwoThatMissEachOtherTheLowerStays) {
  EXPECT_EQ(WhoGoesOn(GangOf(4, {{1, 2}, {2, 1}})), Numbers({0, 1, 3}));
  EXPECT_EQ(WhoGoesOn(GangOf(2, {{1, 0}, {0, 1}})), Numbers({0}));
}

TEST(WhoGoesOn, OfTwoPartsTheLargerAndOfEqualOnesTheLower) {
  std::vector<state::Accusation> cut;
  for (int32_t a : {0, 1}) {
    for (int32_t b : {2, 3, 4}) cut.insert(cut.end(), {{a, b}, {b, a}});
  }
  EXPECT_EQ(WhoGoesOn(GangOf(5, cut)), Numbers({2, 3, 4}));
  EXPECT_EQ(WhoGoesOn(GangOf(5, cut, {4})), Numbers({0, 1}));
}

TEST(WhoGoesOn, WhoAccusesAllIsLeftAlone) {
  EXPECT_EQ(WhoGoesOn(GangOf(4, {{0, 1}, {0, 2}, {0, 3}, {1, 0}, {2, 0}, {3, 0}})),
            Numbers({1, 2, 3}));
}

TEST(WhoGoesOn, AllIfNobodyIsMissed) { EXPECT_EQ(WhoGoesOn(GangOf(3, {})), Numbers({0, 1, 2})); }

TEST(MayJudge, OnceThoseWhoAreNotAccusedHaveReported) {
  EXPECT_FALSE(MayJudge(GangOf(3, {{0, 2}})));
  EXPECT_TRUE(MayJudge(GangOf(3, {{0, 2}, {1, 2}})));
  // Nobody who lives is accused.
  EXPECT_TRUE(MayJudge(GangOf(3, {{0, 2}}, {2})));
  // One of the accused is dead, the other not: 1 has not reported.
  EXPECT_FALSE(MayJudge(GangOf(4, {{0, 2}, {0, 3}}, {2})));
  EXPECT_TRUE(MayJudge(GangOf(4, {{0, 2}, {0, 3}}, {1, 2})));
  EXPECT_TRUE(MayJudge(GangOf(2, {{0, 1}, {1, 0}})));
}

// All subsets, in the order in which ties are decided.
Numbers Naive(const Gang& gang) {
  Numbers best;
  const auto size = static_cast<uint32_t>(gang.members.size());
  for (uint32_t set = 0; set < (1u << size); ++set) {
    Numbers chosen;
    for (uint32_t i = 0; i < size; ++i) {
      if ((set >> i & 1) != 0) chosen.push_back(gang.members[i]);
    }
    const auto in = [&](int32_t m) {
      return std::find(chosen.begin(), chosen.end(), m) != chosen.end();
    };
    bool good = true;
    for (const int32_t member : chosen) {
      bool accused = false;
      bool reported = false;
      for (const state::Accusation& a : gang.accusations) {
        accused = accused || a.of == member;
        reported = reported || a.by == member;
        if (in(a.by) && in(a.of)) good = false;
      }
      if (gang.ended.count(member) != 0 || (accused && !reported)) good = false;
    }
    if (!good || chosen.size() < best.size()) continue;
    if (chosen.size() > best.size() || chosen < best) best = chosen;
  }
  return best;
}

TEST(WhoGoesOn, AgreesWithTryingAll) {
  Random random(7);
  for (int round = 0; round < 400; ++round) {
    const auto size = static_cast<int32_t>(random.Between(1, 9));
    std::vector<state::Accusation> accusations;
    for (int64_t n = random.Between(0, 2 * size); n > 0; --n) {
      const auto by = static_cast<int32_t>(random.Below(static_cast<uint64_t>(size)));
      const auto of = static_cast<int32_t>(random.Below(static_cast<uint64_t>(size)));
      if (by != of) accusations.push_back({by, of});
    }
    std::set<int32_t> ended;
    if (random.Chance(1, 3)) ended.insert(static_cast<int32_t>(random.Below(9)));
    const Gang gang = GangOf(size, accusations, ended);
    ASSERT_EQ(WhoGoesOn(gang), Naive(gang)) << "round " << round;
  }
}

// Too many for the exact way: two halves and one that is silent, and each two are connected.
TEST(WhoGoesOn, OfALargeGangKeepsOneThatIsConnected) {
  std::vector<state::Accusation> cut;
  for (int32_t a = 0; a < 40; ++a) {
    for (int32_t b = 40; b < 99; ++b) cut.insert(cut.end(), {{a, b}, {b, a}});
    cut.push_back({a, 99});
  }
  Numbers larger;
  for (int32_t b = 40; b < 99; ++b) larger.push_back(b);
  EXPECT_EQ(WhoGoesOn(GangOf(100, cut)), larger);
}

class ChooseMembersTest : public testing::Test {
 protected:
  // On each node one task for each number.
  void On(const std::string& node, std::vector<int32_t> numbers) {
    for (const int32_t number : numbers) {
      state::Task& task = tasks_[number];
      task.rank = number;
      task.node = node;
    }
  }
  Numbers Choose() {
    std::vector<const state::Task*> candidates;
    for (const auto& [number, task] : tasks_) candidates.push_back(&task);
    return ChooseMembers(spec_, candidates);
  }

  state::JobSpec spec_;
  std::map<int32_t, state::Task> tasks_;
};

TEST_F(ChooseMembersTest, TakesAsManyAsAreOfUse) {
  spec_.ranks_max = 8;
  spec_.shards = 8;
  On("a", {0, 1, 2, 4, 5, 6, 7});
  EXPECT_EQ(Choose(), Numbers({0, 1, 2, 4}));
  spec_.ranks_min = 6;
  EXPECT_EQ(Choose(), Numbers({0, 1, 2, 4, 5, 6}));
  spec_.ranks_min = 8;
  EXPECT_EQ(Choose(), Numbers());
}

TEST_F(ChooseMembersTest, TakesWholeNodes) {
  spec_.ranks_min = 2;
  spec_.ranks_max = 6;
  spec_.shards = 6;
  spec_.ranks_per_node = 2;
  On("a", {0});
  On("b", {2, 3});
  On("c", {4, 5});
  EXPECT_EQ(Choose(), Numbers({2, 3, 4, 5}));
  spec_.shards = 4;
  On("d", {6, 9});
  EXPECT_EQ(Choose(), Numbers({2, 3, 4, 5}));
}

}  // namespace
}  // namespace baton::policy
