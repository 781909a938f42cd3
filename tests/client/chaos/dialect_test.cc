#include "client/chaos/dialect.h"

#include <gtest/gtest.h>

#include "nlohmann/json.hpp"

namespace baton::client::chaos {
namespace {

constexpr int64_t kEnd = 1'767'323'045'000;  // 2026-01-02T03:04:05Z, a Friday

Answer Ask(Cloud cloud, Instance* instance, const std::string& path,
           const std::map<std::string, std::string>& headers, const std::string& method = "GET") {
  return AnswerOf(cloud, {method, path, headers, {}}, instance);
}

TEST(Dialect, AwsWantsTheNewestToken) {
  Instance instance;
  const std::string action = "/latest/meta-data/spot/instance-action";
  EXPECT_EQ(Ask(Cloud::kAws, &instance, action, {}).code, 401);
  EXPECT_EQ(Ask(Cloud::kAws, &instance, "/latest/api/token", {}).code, 400);
  const Answer token = Ask(Cloud::kAws, &instance, "/latest/api/token",
                           {{"x-aws-ec2-metadata-token-ttl-seconds", "60"}}, "PUT");
  ASSERT_EQ(token.code, 200);
  const std::map<std::string, std::string> with = {{"x-aws-ec2-metadata-token", token.body}};
  EXPECT_EQ(Ask(Cloud::kAws, &instance, action, with).code, 404);
  instance.end_unix_ms = kEnd;
  const auto said = nlohmann::json::parse(Ask(Cloud::kAws, &instance, action, with).body);
  EXPECT_EQ(said["action"], "terminate");
  EXPECT_EQ(said["time"], "2026-01-02T03:04:05Z");
  const std::string risk = "/latest/meta-data/events/recommendations/rebalance";
  EXPECT_EQ(Ask(Cloud::kAws, &instance, risk, with).code, 404);
  instance.rebalance_unix_ms = kEnd;
  EXPECT_EQ(Ask(Cloud::kAws, &instance, risk, with).code, 200);
  ++instance.token;
  EXPECT_EQ(Ask(Cloud::kAws, &instance, action, with).code, 401);
}

TEST(Dialect, GcpSaysTrueAndWaitsForChangesOnly) {
  Instance instance;
  const std::string path = "/computeMetadata/v1/instance/preempted";
  EXPECT_EQ(Ask(Cloud::kGcp, &instance, path, {}).code, 403);
  const std::map<std::string, std::string> flavor = {{"metadata-flavor", "Google"}};
  Answer answer = Ask(Cloud::kGcp, &instance, path, flavor);
  EXPECT_EQ(answer.body, "FALSE");
  EXPECT_EQ(answer.headers["ETag"], "1");
  Request request{
      "GET", path, flavor, {{"wait_for_change", "true"}, {"last_etag", "1"}, {"timeout_sec", "9"}}};
  EXPECT_EQ(WaitsSeconds(Cloud::kGcp, request, instance), 9);
  instance.end_unix_ms = kEnd;
  ++instance.version;
  EXPECT_EQ(WaitsSeconds(Cloud::kGcp, request, instance), 0);
  EXPECT_EQ(AnswerOf(Cloud::kGcp, request, &instance).body, "TRUE");
  request.query.clear();
  EXPECT_EQ(WaitsSeconds(Cloud::kGcp, request, instance), 0);
}

TEST(Dialect, AzureListsEventsOfTheMachine) {
  Instance instance;
  const std::string path = "/metadata/scheduledevents";
  EXPECT_EQ(Ask(Cloud::kAzure, &instance, path, {}).code, 400);
  const std::map<std::string, std::string> header = {{"metadata", "true"}};
  EXPECT_EQ(
      nlohmann::json::parse(Ask(Cloud::kAzure, &instance, path, header).body)["Events"].size(), 0u);
  instance.end_unix_ms = kEnd;
  const auto said = nlohmann::json::parse(Ask(Cloud::kAzure, &instance, path, header).body);
  ASSERT_EQ(said["Events"].size(), 1u);
  EXPECT_EQ(said["Events"][0]["EventType"], "Preempt");
  EXPECT_EQ(said["Events"][0]["NotBefore"], "Fri, 02 Jan 2026 03:04:05 GMT");
}

}  // namespace
}  // namespace baton::client::chaos
