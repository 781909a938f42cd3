// Where tasks go that join a running gang.
#include "scheduler/policy/grow.h"

#include <gtest/gtest.h>

#include <deque>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace baton::policy {
namespace {

class GrowTest : public testing::Test {
 protected:
  GrowTest() {
    fleet_.SetReach(&reach_);
    auto spec = std::make_shared<state::JobSpec>();
    spec->ranks_max = 4;
    spec->shards = 8;
    spec->resources.cpus_milli = 2'000;
    spec_ = spec;
    ask_.job = "job";
    ask_.spec = spec;
    ask_.device_kind = "cpu";
  }

  state::Node& Add(const std::string& id, int64_t price = 100, int32_t cpus = 2) {
    state::Node& node = nodes_.emplace_back();
    node.offer.id = id;
    node.offer.name = id;
    node.offer.cpus_milli = cpus * 1000;
    node.offer.host_id = "host of " + id;
    node.offer.device_kind = "cpu";
    node.offer.data_addresses = {"10.0.0.1"};
    node.offer.price_usd_micro_per_hour = price;
    node.up = true;
    reach_.Add(id);
    fleet_.Add(&node);
    return node;
  }
  void ShowAllBut(const std::string& apart, const std::string& from) {
    for (const auto& [a, slot] : reach_.slots()) {
      for (const auto& [b, other] : reach_.slots()) {
        const bool cut = (a == apart && b == from) || (b == apart && a == from);
        if (a != b) reach_.Tell(a, b, cut ? "connection refused" : "");
      }
    }
  }
  // The gang takes its part of these.
  void Run(const std::set<state::NodeId>& nodes) {
    for (const state::NodeId& id : nodes) fleet_.Take(id, spec_->resources, {});
    gang_.nodes = nodes;
    gang_.world_size = static_cast<int32_t>(nodes.size());
  }
  std::string Joiners() {
    return absl::StrJoin(PlaceJoiners(fleet_, ask_, gang_), " ",
                         [](std::string* out, const RankPlace& p) { out->append(p.node); });
  }

  state::Reach reach_;
  std::deque<state::Node> nodes_;
  Fleet fleet_;
  std::shared_ptr<state::JobSpec> spec_;
  Ask ask_;
  RunningGang gang_;
};

TEST_F(GrowTest, GoesToTheCheapestNodesThatMakeItFaster) {
  for (const char* id : {"a", "b"}) Add(id);
  Add("c", 300);
  Add("d", 200);
  Add("e", 250);
  ShowAllBut("", "");
  Run({"a", "b"});
  EXPECT_EQ(Joiners(), "d e");
}

TEST_F(GrowTest, TakesNoMoreThanAreFaster) {
  for (const char* id : {"a", "b", "c", "d", "e", "f", "g"}) Add(id);
  ShowAllBut("", "");
  spec_->ranks_max = 8;
  Run({"a", "b", "c", "d"});
  EXPECT_EQ(Joiners(), "") << "seven ranks are no faster than four";
  Add("h");
  ShowAllBut("", "");
  EXPECT_EQ(Joiners(), "e f g h");
}

TEST_F(GrowTest, OnlyWhereAllMembersAreReached) {
  for (const char* id : {"a", "b", "c", "d"}) Add(id);
  ShowAllBut("c", "b");
  Run({"a", "b"});
  EXPECT_EQ(Joiners(), "d");
  ShowAllBut("c", "d");
  EXPECT_EQ(Joiners(), "c") << "joiners reach each other, too";
}

TEST_F(GrowTest, KeepsToTheRulesOfPlacement) {
  for (const char* id : {"a", "b"}) Add(id);
  state::Node& other = Add("c");
  state::Node& drained = Add("d");
  state::Node& promised = Add("e");
  ShowAllBut("", "");
  Run({"a", "b"});
  other.offer.device_kind = "gpu";
  drained.drained = true;
  fleet_.Refresh("d");
  promised.promised_to = "head";
  promised.promised_ranks = 1;
  fleet_.SetPromise("e", spec_);
  EXPECT_EQ(Joiners(), "e") << "a promise that is not honoured keeps nobody away";
  ask_.honoured = {"head"};
  EXPECT_EQ(Joiners(), "");
}

TEST_F(GrowTest, OfItsOwnNodesLast) {
  Add("a", 10, 4);
  Add("b");
  ShowAllBut("", "");
  Run({"a"});
  spec_->ranks_max = 2;
  EXPECT_EQ(Joiners(), "b");
  spec_->ranks_max = 4;
  EXPECT_EQ(Joiners(), "b a");
}

TEST_F(GrowTest, ByWholeNodes) {
  for (const char* id : {"a", "b", "c"}) Add(id, 100, 4);
  Add("d", 10, 2);
  ShowAllBut("", "");
  spec_->ranks_per_node = 2;
  spec_->ranks_min = 2;
  spec_->ranks_max = 4;
  for (int i = 0; i < 2; ++i) fleet_.Take("a", spec_->resources, {});
  gang_.nodes = {"a"};
  gang_.world_size = 2;
  EXPECT_EQ(Joiners(), "b b");
}

TEST_F(GrowTest, OnOneMachineByLoopback) {
  for (const char* id : {"a", "b", "c"}) {
    state::Node& node = Add(id);
    fleet_.Remove(id);
    reach_.Remove(id);
    node.offer.data_addresses = {"127.0.0.1"};
    node.offer.host_id = id[0] == 'c' ? "another" : "one";
    fleet_.Add(&node);
  }
  Run({"a"});
  EXPECT_EQ(Joiners(), "b");
}

}  // namespace
}  // namespace baton::policy
