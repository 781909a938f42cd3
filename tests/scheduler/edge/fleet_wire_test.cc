#include "scheduler/edge/fleet_wire.h"

#include <gtest/gtest.h>

#include "common/hash.h"
#include "scheduler/edge/from_wire.h"
#include "scheduler/edge/probe_reports.h"

namespace baton::edge {
namespace {

TEST(FleetWire, ProbesKeepWhoWasMeant) {
  const v1::SchedulerMessage message =
      ProbesToWire({.node = "n", .incarnation = "i", .targets = {{"m", "10.0.0.2", 4711}}});
  ASSERT_EQ(message.probe().targets_size(), 1);
  EXPECT_EQ(message.probe().targets(0).node_id(), "m");
  EXPECT_EQ(message.probe().targets(0).address(), "10.0.0.2");
  EXPECT_EQ(message.probe().targets(0).port(), 4711);
  v1::ProbeReport report;
  v1::ProbeReport::Finding* finding = report.add_findings();
  finding->set_node_id("m");
  finding->set_port(4711);
  finding->set_error(std::string(5'000, 'x'));
  const auto results = ProbesFromWire(report);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].to, "m");
  EXPECT_EQ(results[0].port, 4711);
  EXPECT_FALSE(results[0].error.empty());
  EXPECT_LT(results[0].error.size(), 300u) << "it is stored";
}

TEST(FleetWire, NodesAndJobsNumberTheSameDataAlike) {
  const std::string pushed = Sha256Hex("pushed");
  const std::string fetched = Sha256Hex("fetched");
  v1::Hello hello;
  hello.set_node_id(std::string(32, 'a'));
  hello.set_incarnation(std::string(32, 'b'));
  hello.set_name("n");
  hello.set_probe_port(4711);
  for (const std::string& digest : {pushed, std::string("no digest"), fetched, pushed}) {
    hello.add_cached(digest);
  }
  const auto joined = JoinFromWire(hello);
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->offer.probe_port, 4711);
  ASSERT_EQ(joined->offer.cached.size(), 2u);
  EXPECT_LT(joined->offer.cached[0], joined->offer.cached[1]);

  v1::JobSpec spec;
  spec.add_data()->set_digest(pushed);
  spec.add_data()->set_sha256(fetched);
  spec.add_data()->set_uri("https://example.org/unknown");
  EXPECT_EQ(JobSpecFromWire(spec, false).data, joined->offer.cached);

  hello.set_probe_port(70'000);
  EXPECT_FALSE(JoinFromWire(hello).ok());
  hello.set_probe_port(0);
  for (int i = 0; i < 300; ++i) hello.add_cached(pushed);
  EXPECT_FALSE(JoinFromWire(hello).ok());
}

TEST(ProbeReportsTest, GathersByNodeInOrderAndWithinItsLimits) {
  ProbeReports reports({.waiting_max = 4, .event_max = 3});
  EXPECT_TRUE(reports.Take().nodes.empty());
  reports.Add("a", "1", {{"b", 1, "refused"}});
  reports.Add("b", "1", {{"a", 2, ""}});
  reports.Add("a", "1", {{"b", 1, ""}, {"c", 3, ""}, {"d", 4, ""}});
  state::NodesProbed event = reports.Take();
  ASSERT_EQ(event.nodes.size(), 2u);
  EXPECT_EQ(event.nodes[0].node, "a");
  ASSERT_EQ(event.nodes[0].results.size(), 2u);
  EXPECT_EQ(event.nodes[0].results[0].error, "refused");
  EXPECT_EQ(event.nodes[0].results[1].error, "") << "the newest word comes last";
  event = reports.Take();
  ASSERT_EQ(event.nodes.size(), 1u);
  ASSERT_EQ(event.nodes[0].results.size(), 1u) << "the fifth was above the limit";
  EXPECT_EQ(event.nodes[0].results[0].to, "c");
  EXPECT_TRUE(reports.Take().nodes.empty());
}

TEST(ProbeReportsTest, AFailureIsToldOnceUntilItChangesOrTheNodeJoinsAnew) {
  ProbeReports reports({});
  const auto is_told = [&](const std::string& from, const std::string& to, int32_t port,
                           const std::string& error) {
    reports.Add(from, "1", {{to, port, error}});
    return !reports.Take().nodes.empty();
  };
  EXPECT_TRUE(is_told("a", "b", 1, "refused"));
  EXPECT_FALSE(is_told("a", "b", 1, "refused"));
  EXPECT_TRUE(is_told("a", "c", 1, "refused"));
  EXPECT_TRUE(is_told("b", "a", 1, "refused"));
  EXPECT_TRUE(is_told("a", "b", 1, "no route")) << "it fails in another way";
  EXPECT_TRUE(is_told("a", "b", 2, "no route")) << "another worker was dialled";
  EXPECT_TRUE(is_told("a", "b", 2, ""));
  EXPECT_TRUE(is_told("a", "b", 2, "no route")) << "it was reached in between";
  for (const char* joins : {"a", "b"}) {
    EXPECT_FALSE(is_told("a", "b", 2, "no route"));
    reports.Forget(joins);
    EXPECT_TRUE(is_told("a", "b", 2, "no route")) << joins << " is a new worker";
  }
}

}  // namespace
}  // namespace baton::edge
