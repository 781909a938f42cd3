#include "scheduler/policy/placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "scheduler/policy/capacity.h"
#include "scheduler/policy/rescale.h"

namespace baton::policy {
namespace {

using state::Node;

Node MakeNode(const std::string& id, int32_t cpus, int64_t price) {
  Node node;
  node.offer.id = id;
  node.offer.name = id;
  node.offer.cpus_milli = cpus * 1000;
  node.offer.memory_bytes = int64_t{16} << 30;
  node.offer.host_id = "local";
  node.offer.price_usd_micro_per_hour = price;
  node.up = true;
  return node;
}

Ask MakeAsk(int32_t low, int32_t high, int32_t cpus) {
  auto spec = std::make_shared<state::JobSpec>();
  spec->ranks_min = low;
  spec->ranks_max = high;
  spec->resources.cpus_milli = cpus * 1000;
  Ask ask;
  ask.job = "job";
  ask.spec = spec;
  return ask;
}

std::vector<std::string> NodesOf(const std::optional<Placement>& placement) {
  std::vector<std::string> nodes;
  if (!placement.has_value()) return nodes;
  for (const RankPlace& rank : placement->ranks) nodes.push_back(rank.node);
  return nodes;
}

using Names = std::vector<std::string>;

TEST(Place, CheapestFirstThenLowestId) {
  const Node b = MakeNode("b", 2, 10);
  const Node a = MakeNode("a", 2, 10);
  const Node c = MakeNode("c", 2, 5);
  Fleet fleet;
  for (const Node* node : {&b, &a, &c}) fleet.Add(node);
  EXPECT_EQ(NodesOf(Place(fleet, MakeAsk(1, 1, 1))), Names({"c"}));
  fleet.Take("c", MakeAsk(1, 1, 2).spec->resources, {});
  EXPECT_EQ(NodesOf(Place(fleet, MakeAsk(1, 1, 1))), Names({"a"}));
}

TEST(Place, SpreadsAGangThenPacks) {
  const Node a = MakeNode("a", 4, 1);
  const Node b = MakeNode("b", 4, 2);
  Fleet fleet;
  fleet.Add(&a);
  fleet.Add(&b);
  EXPECT_EQ(NodesOf(Place(fleet, MakeAsk(2, 2, 1))), Names({"a", "b"}));
  EXPECT_EQ(NodesOf(Place(fleet, MakeAsk(5, 5, 1))), Names({"a", "a", "a", "b", "b"}));
  EXPECT_EQ(NodesOf(Place(fleet, MakeAsk(9, 9, 1))), Names());
}

TEST(Place, SoManyOnEachNodeAsTheSpecSays) {
  const Node a = MakeNode("a", 1, 1);
  const Node b = MakeNode("b", 4, 2);
  const Node c = MakeNode("c", 3, 3);
  const Node d = MakeNode("d", 2, 4);
  Fleet fleet;
  for (const Node* node : {&a, &b, &c, &d}) fleet.Add(node);
  const auto ask = [](int32_t low, int32_t high, int32_t each) {
    Ask made = MakeAsk(low, high, 1);
    auto spec = std::make_shared<state::JobSpec>(*made.spec);
    spec->ranks_per_node = each;
    made.spec = spec;
    return made;
  };
  EXPECT_EQ(NodesOf(Place(fleet, ask(4, 4, 2))), Names({"b", "b", "c", "c"}));
  EXPECT_EQ(NodesOf(Place(fleet, ask(3, 3, 3))), Names({"b", "b", "b"}));
  EXPECT_EQ(NodesOf(Place(fleet, ask(2, 8, 2))), Names({"b", "b", "c", "c", "d", "d"}));
  EXPECT_EQ(NodesOf(Place(fleet, ask(8, 8, 2))), Names());
  EXPECT_EQ(NodesOf(Place(fleet, ask(1, 1, 1))), Names({"a"}));
  EXPECT_EQ(WhyNotHere(*fleet.Find("a"), ask(4, 4, 2)), WhyNot::kTooSmall);
  fleet.Take("b", MakeAsk(1, 1, 3).spec->resources, {});
  EXPECT_EQ(NodesOf(Place(fleet, ask(4, 4, 2))), Names({"c", "c", "d", "d"}));
  EXPECT_EQ(WhyNotHere(*fleet.Find("b"), ask(4, 4, 2)), WhyNot::kBusy);
}

TEST(Place, AllOrNothing) {
  const Node a = MakeNode("a", 2, 1);
  Fleet fleet;
  fleet.Add(&a);
  EXPECT_EQ(NodesOf(Place(fleet, MakeAsk(3, 8, 1))), Names());
  EXPECT_EQ(NodesOf(Place(fleet, MakeAsk(2, 8, 1))), Names({"a", "a"}));
}

TEST(Place, AvoidsANodeOnlyIfThereIsAnother) {
  const Node a = MakeNode("a", 2, 1);
  const Node b = MakeNode("b", 2, 9);
  Fleet fleet;
  fleet.Add(&a);
  fleet.Add(&b);
  Ask ask = MakeAsk(1, 1, 1);
  ask.avoid = {"a"};
  EXPECT_EQ(NodesOf(Place(fleet, ask)), Names({"b"}));
  ask.avoid = {"a", "b"};
  EXPECT_EQ(NodesOf(Place(fleet, ask)), Names({"a"}));
}

TEST(Place, ANodesLabelsAndItsNameAreHeldTo) {
  Node a = MakeNode("a", 4, 1);
  Node b = MakeNode("b", 4, 2);
  b.offer.labels = {{"site", "lab"}};
  Fleet fleet;
  fleet.Add(&a);
  fleet.Add(&b);
  const auto where = [&](const std::string& key, const std::string& value) {
    Ask ask = MakeAsk(1, 1, 1);
    auto spec = std::make_shared<state::JobSpec>(*ask.spec);
    spec->require = {{key, value}};
    ask.spec = spec;
    return NodesOf(Place(fleet, ask));
  };
  EXPECT_EQ(where("site", "lab"), Names({"b"}));
  EXPECT_EQ(where("site", "home"), Names());
  EXPECT_EQ(where("node", "b"), Names({"b"}));
  EXPECT_EQ(where("node", "c"), Names());
}

TEST(Place, ANodeThatLacksTheDataIsATenthDearer) {
  Node a = MakeNode("a", 2, 100);
  Node b = MakeNode("b", 2, 100);
  Node c = MakeNode("c", 2, 110);
  Node d = MakeNode("d", 2, 90);
  b.offer.cached = {3, 7};
  c.offer.cached = {3, 7, 9};
  Fleet fleet;
  for (const Node* node : {&a, &b, &c}) fleet.Add(node);
  const auto order = [&](std::vector<uint64_t> data) {
    Ask ask = MakeAsk(3, 3, 2);
    auto spec = std::make_shared<state::JobSpec>(*ask.spec);
    spec->data = std::move(data);
    ask.spec = spec;
    return NodesOf(Place(fleet, ask));
  };
  EXPECT_EQ(order({}), Names({"a", "b", "c"}));
  EXPECT_EQ(order({3}), Names({"b", "c", "a"})) << "as dear as one that lacks it: it has the data";
  EXPECT_EQ(order({3, 9}), Names({"c", "a", "b"})) << "all of the data, or none";
  EXPECT_EQ(order({5}), Names({"a", "b", "c"}));
  // More than a tenth cheaper is cheaper.
  fleet.Add(&d);
  EXPECT_EQ(order({3}), Names({"d", "b", "c"}));
  // What is dropped is of no use any more, and a node that is full can't be chosen.
  fleet.Remove("d");
  b.offer.cached = {9};
  fleet.Refresh("b");
  EXPECT_EQ(order({3}), Names({"c", "a", "b"}));
  fleet.Take("c", MakeAsk(1, 1, 1).spec->resources, {});
  EXPECT_EQ(NodesOf(Place(fleet, MakeAsk(1, 1, 2))), Names({"a"}));
  fleet.Remove("c");
  EXPECT_EQ(fleet.Holding(3), nullptr);
}

TEST(Place, OnDemandOnlyLeavesSpotAlone) {
  Node a = MakeNode("a", 2, 1);
  a.offer.spot = true;
  const Node b = MakeNode("b", 2, 9);
  Fleet fleet;
  fleet.Add(&a);
  fleet.Add(&b);
  Ask ask = MakeAsk(1, 2, 2);
  ask.on_demand_only = true;
  EXPECT_EQ(NodesOf(Place(fleet, ask)), Names({"b"}));
  ask = MakeAsk(1, 1, 1);
  EXPECT_EQ(NodesOf(Place(fleet, ask)), Names({"a"}));
  ask.on_demand_only = true;
  EXPECT_EQ(NodesOf(Place(fleet, ask)), Names({"b"}));
}

TEST(Place, LeavesPromisedRoomAlone) {
  Node a = MakeNode("a", 4, 1);
  a.promised_to = "head";
  a.promised_ranks = 3;
  Fleet fleet;
  fleet.Add(&a);
  fleet.SetPromise("a", MakeAsk(3, 3, 1).spec);
  Ask ask = MakeAsk(1, 4, 1);
  ask.honoured = {"head"};
  EXPECT_EQ(NodesOf(Place(fleet, ask)), Names({"a"}));
  ask.job = "head";
  EXPECT_EQ(NodesOf(Place(fleet, ask)).size(), 4u);
  EXPECT_EQ(WhyNotHere(*fleet.Find("a"), MakeAsk(1, 1, 1)), WhyNot::kNothing);
}

TEST(Place, GpusByTypeAndMemory) {
  Node a = MakeNode("a", 8, 1);
  a.offer.gpus = {{0, "t4", 16}, {1, "h100", 80}, {2, "h100", 80}, {3, "h100", 40}};
  Fleet fleet;
  fleet.Add(&a);
  auto spec = std::make_shared<state::JobSpec>();
  spec->resources.gpus = 1;
  spec->resources.gpu_type = "h100";
  spec->resources.gpu_memory_bytes = 60;
  spec->ranks_max = 2;
  Ask ask;
  ask.job = "job";
  ask.spec = spec;
  const auto placement = Place(fleet, ask);
  ASSERT_TRUE(placement.has_value());
  ASSERT_EQ(placement->ranks.size(), 2u);
  EXPECT_EQ(placement->ranks[0].gpus, std::vector<int32_t>({1}));
  EXPECT_EQ(placement->ranks[1].gpus, std::vector<int32_t>({2}));
}

TEST(Place, TheFirstAlternativeThatFitsForAllRanks) {
  Node a = MakeNode("a", 8, 1);
  a.offer.gpus = {{0, "a100", 80}};
  Node b = MakeNode("b", 8, 2);
  b.offer.gpus = {{0, "t4", 16}, {1, "t4", 16}, {2, "t4", 16}, {3, "t4", 16}};
  Fleet fleet;
  fleet.Add(&a);
  fleet.Add(&b);
  const auto ask = [](int32_t ranks) {
    Ask made = MakeAsk(ranks, ranks, 1);
    auto spec = std::make_shared<state::JobSpec>(*made.spec);
    spec->any_of = {spec->resources, spec->resources};
    spec->any_of[0].gpus = 1;
    spec->any_of[0].gpu_type = "a100";
    spec->any_of[1].gpus = 2;
    spec->any_of[1].gpu_type = "t4";
    made.spec = spec;
    return made;
  };
  auto placed = Place(fleet, ask(1));
  ASSERT_TRUE(placed.has_value());
  EXPECT_EQ(NodesOf(placed), Names({"a"}));
  EXPECT_EQ(placed->alternative, 0);
  placed = Place(fleet, ask(2));
  ASSERT_TRUE(placed.has_value());
  EXPECT_EQ(NodesOf(placed), Names({"b", "b"})) << "never one of each";
  EXPECT_EQ(placed->alternative, 1);
  EXPECT_EQ(placed->ranks[1].gpus, std::vector<int32_t>({2, 3}));
  EXPECT_FALSE(Place(fleet, ask(3)).has_value());
  // What is promised to it is set aside by the alternative that it is promised for.
  b.promised_to = "head";
  b.promised_ranks = 1;
  b.promised_alternative = 1;
  fleet.SetPromise("b", ask(1).spec);
  Ask other = MakeAsk(1, 1, 1);
  auto greedy = std::make_shared<state::JobSpec>(*other.spec);
  greedy->resources.gpus = 3;
  other.spec = greedy;
  EXPECT_TRUE(Place(fleet, other).has_value());
  other.honoured = {"head"};
  EXPECT_FALSE(Place(fleet, other).has_value());
}

// Slow and plain: all nodes that take a rank, in order; groups by who reaches whom.
int32_t NaiveWorldSize(const std::vector<Node>& nodes, const Fleet& fleet, const Ask& ask) {
  const state::JobSpec& spec = *ask.spec;
  std::map<std::string, int64_t> groups;
  for (const Node& node : nodes) {
    const int64_t fit = RanksHere(*fleet.Find(node.offer.id), ask, spec.ranks_max);
    const std::string kind = spec.shards > 0 ? node.offer.device_kind : "";
    if (spec.ranks_max == 1) groups["one"] = std::max(groups["one"], fit);
    if (!node.offer.data_addresses.empty()) groups["net " + kind] += fit;
    groups["host " + node.offer.host_id + kind] += fit;
  }
  const WorldRange range = {spec.ranks_min, spec.ranks_max, spec.shards, RankUnit(spec)};
  int32_t best = 0;
  for (const auto& [name, fit] : groups) {
    const auto most = static_cast<int32_t>(std::min<int64_t>(fit, spec.ranks_max));
    const int32_t size = ChooseWorldSize(range, most);
    if (size == 0) continue;
    if (best == 0 || StepLength(range, size) < StepLength(range, best)) best = size;
  }
  return best;
}

TEST(Place, AgreesWithTheNaiveVersion) {
  const uint64_t seed = 11;
  Random random(seed);
  for (int round = 0; round < 2'000; ++round) {
    std::vector<Node> nodes;
    for (int i = 0; i < 6; ++i) {
      Node node = MakeNode(absl::StrCat("n", i), static_cast<int32_t>(random.Between(1, 4)),
                           random.Between(1, 3));
      node.offer.host_id = absl::StrCat("host", random.Below(3));
      if (random.Chance(1, 2)) node.offer.data_addresses = {absl::StrCat("10.0.0.", i)};
      node.offer.device_kind = random.Chance(1, 3) ? "x" : "y";
      node.offer.spot = random.Chance(1, 2);
      node.drained = random.Chance(1, 8);
      nodes.push_back(node);
    }
    state::Reach reach;
    for (const Node& node : nodes) reach.Add(node.offer.id);
    for (const Node& a : nodes) {
      for (const Node& b : nodes) {
        if (&a != &b) reach.Tell(a.offer.id, b.offer.id, "");
      }
    }
    Fleet fleet;
    fleet.SetReach(&reach);
    for (const Node& node : nodes) fleet.Add(&node);
    auto spec = std::make_shared<state::JobSpec>();
    spec->ranks_min = static_cast<int32_t>(random.Between(1, 4));
    spec->ranks_max = spec->ranks_min + static_cast<int32_t>(random.Below(4));
    if (random.Chance(1, 3)) {
      spec->ranks_per_node = static_cast<int32_t>(random.Between(1, 3));
      spec->ranks_min *= spec->ranks_per_node;
      spec->ranks_max *= spec->ranks_per_node;
    }
    spec->shards = random.Chance(1, 2) ? 8 : 0;
    if (spec->shards > 0) spec->shards = std::max(spec->shards, spec->ranks_max);
    spec->resources.cpus_milli = static_cast<int32_t>(random.Between(1, 3)) * 1000;
    spec->capacity = random.Chance(1, 4) ? state::Capacity::kSpot : state::Capacity::kAuto;
    Ask ask;
    ask.job = "job";
    ask.spec = spec;
    const auto placement = Place(fleet, ask);
    const auto size = placement.has_value() ? static_cast<int32_t>(placement->ranks.size()) : 0;
    ASSERT_EQ(size, NaiveWorldSize(nodes, fleet, ask)) << "seed " << seed << " round " << round;
    if (size == 0) continue;
    // What was placed fits, and ranks of one node are neighbours.
    std::set<std::string> left;
    std::map<std::string, int32_t> each;
    for (const RankPlace& rank : placement->ranks) ++each[rank.node];
    for (const auto& [node, ranks] : each) {
      if (spec->ranks_per_node > 0) {
        ASSERT_EQ(ranks, spec->ranks_per_node) << "seed " << seed << " round " << round;
      }
    }
    for (const RankPlace& rank : placement->ranks) {
      ASSERT_EQ(left.count(rank.node), 0u) << "seed " << seed << " round " << round;
      ASSERT_GE(RanksThatFit(*fleet.Find(rank.node), spec->resources, 1), 1) << "seed " << seed;
      fleet.Take(rank.node, spec->resources, rank.gpus);
      if (&rank != &placement->ranks.back() && (&rank + 1)->node != rank.node)
        left.insert(rank.node);
    }
  }
}

}  // namespace
}  // namespace baton::policy
