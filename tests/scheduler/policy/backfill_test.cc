#include "scheduler/policy/backfill.h"

#include <gtest/gtest.h>

namespace baton::policy {
namespace {

state::Node MakeNode(const std::string& id, int32_t cpus) {
  state::Node node;
  node.offer.id = id;
  node.offer.cpus_milli = cpus * 1000;
  node.offer.host_id = "local";
  node.up = true;
  return node;
}

Ask MakeAsk(int32_t ranks, int32_t cpus) {
  auto spec = std::make_shared<state::JobSpec>();
  spec->ranks_min = spec->ranks_max = ranks;
  spec->resources.cpus_milli = cpus * 1000;
  Ask ask;
  ask.job = "head";
  ask.spec = spec;
  return ask;
}

TEST(ChoosePromises, NodesWithRoomFirst) {
  const state::Node a = MakeNode("a", 2);
  const state::Node b = MakeNode("b", 2);
  const state::Node c = MakeNode("c", 2);
  Fleet fleet;
  for (const state::Node* node : {&a, &b, &c}) fleet.Add(node);
  fleet.Take("a", MakeAsk(1, 2).spec->resources, {});
  fleet.Take("b", MakeAsk(1, 1).spec->resources, {});
  const auto promises = ChoosePromises(fleet, MakeAsk(2, 2));
  ASSERT_EQ(promises.size(), 2u);
  EXPECT_EQ(promises[0].node, "c");
  EXPECT_EQ(promises[1].node, "a");
}

TEST(ChoosePromises, NoneIfTheFleetCouldNeverHoldTheGang) {
  state::Node a = MakeNode("a", 2);
  Fleet fleet;
  fleet.Add(&a);
  EXPECT_TRUE(ChoosePromises(fleet, MakeAsk(2, 2)).empty());
  EXPECT_EQ(ChoosePromises(fleet, MakeAsk(2, 1)).at(0).ranks, 2);
}

TEST(ChoosePromises, SoManyOnEachNodeAsTheSpecSays) {
  const state::Node a = MakeNode("a", 1);
  const state::Node b = MakeNode("b", 4);
  const state::Node c = MakeNode("c", 2);
  Fleet fleet;
  for (const state::Node* node : {&a, &b, &c}) fleet.Add(node);
  Ask ask = MakeAsk(4, 1);
  auto spec = std::make_shared<state::JobSpec>(*ask.spec);
  spec->ranks_per_node = 2;
  ask.spec = spec;
  const auto promises = ChoosePromises(fleet, ask);
  ASSERT_EQ(promises.size(), 2u);
  EXPECT_EQ(promises[0].node, "b");
  EXPECT_EQ(promises[0].ranks, 2);
  EXPECT_EQ(promises[1].node, "c");
  EXPECT_EQ(promises[1].ranks, 2);
}

TEST(ChoosePromises, ForTheFirstAlternativeThatTheFleetCouldHold) {
  const state::Node a = MakeNode("a", 4);
  Fleet fleet;
  fleet.Add(&a);
  Ask ask = MakeAsk(1, 1);
  auto spec = std::make_shared<state::JobSpec>(*ask.spec);
  spec->any_of = {spec->resources, spec->resources};
  spec->any_of[0].cpus_milli = 8000;
  spec->any_of[1].cpus_milli = 4000;
  ask.spec = spec;
  const auto promises = ChoosePromises(fleet, ask);
  ASSERT_EQ(promises.size(), 1u);
  EXPECT_EQ(promises[0].alternative, 1);
}

TEST(ChoosePromises, LeavesThoseOfOthersAlone) {
  state::Node a = MakeNode("a", 2);
  a.promised_to = "other";
  a.promised_ranks = 1;
  const state::Node b = MakeNode("b", 2);
  Fleet fleet;
  fleet.Add(&a);
  fleet.Add(&b);
  Ask ask = MakeAsk(1, 2);
  ask.honoured = {"other"};
  EXPECT_EQ(ChoosePromises(fleet, ask).at(0).node, "b");
  ask.honoured = {};
  EXPECT_EQ(ChoosePromises(fleet, ask).at(0).node, "a");
}

TEST(ChoosePromises, NotOnNodesThatTakeNoWork) {
  state::Node a = MakeNode("a", 2);
  a.has_notice = true;
  Fleet fleet;
  fleet.Add(&a);
  EXPECT_TRUE(ChoosePromises(fleet, MakeAsk(1, 2)).empty());
}

}  // namespace
}  // namespace baton::policy
