// Gangs only where all nodes reach each other.
#include <gtest/gtest.h>

#include <deque>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "scheduler/policy/backfill.h"
#include "scheduler/policy/clique.h"
#include "scheduler/policy/placement.h"

namespace baton::policy {
namespace {

class Nodes {
 public:
  Nodes() { fleet.SetReach(&reach); }

  void Add(const std::string& id, int64_t price) {
    state::Node& node = nodes.emplace_back();
    node.offer.id = id;
    node.offer.name = id;
    node.offer.cpus_milli = 2'000;
    node.offer.host_id = "host of " + id;
    node.offer.data_addresses = {"10.0.0.1"};
    node.offer.price_usd_micro_per_hour = price;
    node.up = true;
    reach.Add(id);
    fleet.Add(&node);
  }
  void Show(const std::string& a, const std::string& b) {
    reach.Tell(a, b, "");
    reach.Tell(b, a, "");
  }
  void ShowAll() {
    for (const auto& [a, slot] : reach.slots()) {
      for (const auto& [b, other] : reach.slots()) {
        if (a != b) reach.Tell(a, b, "");
      }
    }
  }

  state::Reach reach;
  std::deque<state::Node> nodes;
  Fleet fleet;
};

Ask MakeAsk(int32_t low, int32_t high) {
  auto spec = std::make_shared<state::JobSpec>();
  spec->ranks_min = low;
  spec->ranks_max = high;
  spec->resources.cpus_milli = 2'000;
  Ask ask;
  ask.job = "job";
  ask.spec = spec;
  return ask;
}

std::string Placed(const Nodes& nodes, const Ask& ask) {
  std::string words;
  const auto placement = Place(nodes.fleet, ask);
  if (!placement.has_value()) return "nowhere";
  for (const RankPlace& rank : placement->ranks) words += rank.node;
  return words;
}

std::string Promised(const Nodes& nodes, const Ask& ask) {
  std::string words;
  for (const Promise& promise : ChoosePromises(nodes.fleet, ask)) words += promise.node;
  return words.empty() ? "nowhere" : words;
}

TEST(ReachPlacement, NotWhereNothingIsShown) {
  Nodes nodes;
  nodes.Add("a", 1);
  nodes.Add("b", 2);
  bool reach_matters = false;
  EXPECT_FALSE(Place(nodes.fleet, MakeAsk(2, 2), &reach_matters).has_value());
  EXPECT_TRUE(reach_matters);
  EXPECT_EQ(Promised(nodes, MakeAsk(2, 2)), "nowhere");
  EXPECT_EQ(Placed(nodes, MakeAsk(1, 2)), "a") << "one node reaches itself";
  nodes.reach.Tell("a", "b", "");
  EXPECT_EQ(Placed(nodes, MakeAsk(2, 2)), "nowhere") << "one direction is half of it";
  nodes.reach.Tell("b", "a", "");
  EXPECT_EQ(Placed(nodes, MakeAsk(2, 2)), "ab");
  EXPECT_EQ(Promised(nodes, MakeAsk(2, 2)), "ab");
  EXPECT_FALSE(Place(nodes.fleet, MakeAsk(3, 3), &reach_matters).has_value());
  EXPECT_FALSE(reach_matters) << "too few nodes, whoever reaches whom";
}

TEST(ReachPlacement, BeginsElsewhereWhereTheBestNodeDoesNotSuffice) {
  Nodes nodes;
  for (const char* id : {"a", "b", "c", "d"}) nodes.Add(id, id[0]);
  nodes.Show("a", "b");
  nodes.Show("b", "c");
  nodes.Show("b", "d");
  nodes.Show("c", "d");
  EXPECT_EQ(Placed(nodes, MakeAsk(2, 2)), "ab");
  EXPECT_EQ(Placed(nodes, MakeAsk(3, 3)), "bcd");
  EXPECT_EQ(Placed(nodes, MakeAsk(2, 4)), "bcd") << "three are faster than two";
  EXPECT_EQ(Promised(nodes, MakeAsk(3, 3)), "bcd");
  EXPECT_EQ(Placed(nodes, MakeAsk(4, 4)), "nowhere");
  EXPECT_EQ(Promised(nodes, MakeAsk(4, 4)), "nowhere");
}

TEST(ReachPlacement, RoomThatIsFreeNowIsPromisedOnlyWithNodesThatReachIt) {
  Nodes nodes;
  for (const char* id : {"a", "b", "c"}) nodes.Add(id, id[0]);
  nodes.Show("a", "b");
  nodes.fleet.Take("a", MakeAsk(1, 1).spec->resources, {});
  nodes.fleet.Take("b", MakeAsk(1, 1).spec->resources, {});
  EXPECT_EQ(Promised(nodes, MakeAsk(2, 2)), "ab");
}

// All pairs of what is placed or promised are shown; where all pairs of the fleet are, as many
// ranks are placed as there is room for; and where nobody reaches anybody, a gang fits on one node
// alone.
TEST(ReachPlacement, NeverOverAPairThatIsNotShown) {
  const uint64_t seed = 3;
  Random random(seed);
  int gangs = 0;
  for (int round = 0; round < 2'000; ++round) {
    Nodes nodes;
    const auto count = static_cast<int>(random.Between(2, 9));
    for (int i = 0; i < count; ++i) nodes.Add(std::string(1, 'a' + i), random.Between(1, 3));
    const uint64_t density = random.Below(5);
    for (const auto& [a, slot] : nodes.reach.slots()) {
      for (const auto& [b, other] : nodes.reach.slots()) {
        if (a < b && random.Below(4) < density) nodes.Show(a, b);
      }
    }
    const auto low = static_cast<int32_t>(random.Between(2, count));
    const Ask ask = MakeAsk(low, low + static_cast<int32_t>(random.Below(3)));
    std::vector<std::set<std::string>> picked(2);
    if (const auto placement = Place(nodes.fleet, ask); placement.has_value()) {
      for (const RankPlace& rank : placement->ranks) picked[0].insert(rank.node);
      ++gangs;
    }
    for (const Promise& p : ChoosePromises(nodes.fleet, ask)) picked[1].insert(p.node);
    if (density == 4) {
      ASSERT_EQ(picked[0].size(), std::min<size_t>(static_cast<size_t>(count),
                                                   static_cast<size_t>(ask.spec->ranks_max)));
      ASSERT_EQ(picked[1].size(), static_cast<size_t>(low));
    }
    if (density == 0) {
      ASSERT_TRUE(picked[0].empty() && picked[1].empty());
    }
    for (const auto& some : picked) {
      for (const std::string& a : some) {
        for (const std::string& b : some) {
          ASSERT_TRUE(ReachEachOther(nodes.fleet, *nodes.fleet.Find(a), *nodes.fleet.Find(b)))
              << "seed " << seed << " round " << round << ": " << a << " and " << b;
        }
      }
    }
  }
  EXPECT_GT(gangs, 300);
}

}  // namespace
}  // namespace baton::policy
