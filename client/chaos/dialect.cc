#include "client/chaos/dialect.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"

namespace baton::client::chaos {
namespace {

using Json = nlohmann::json;

constexpr char kFlavor[] = "Metadata-Flavor";
constexpr int64_t kLongestWaitS = 300;

std::string Stamp(int64_t unix_ms, const char* form) {
  return absl::FormatTime(form, absl::FromUnixMillis(unix_ms), absl::UTCTimeZone());
}
std::string Iso(int64_t unix_ms) { return Stamp(unix_ms, "%Y-%m-%dT%H:%M:%SZ"); }

std::string ValueOf(const std::map<std::string, std::string>& values, const std::string& name) {
  const auto at = values.find(name);
  return at == values.end() ? "" : at->second;
}

Answer Aws(const Request& request, Instance* instance) {
  if (request.path == "/latest/api/token") {
    const bool good = request.method == "PUT" &&
                      request.headers.count("x-aws-ec2-metadata-token-ttl-seconds") != 0;
    if (!good) return {400, "", {}};
    return {200, absl::StrCat("token-", ++instance->token), {}};
  }
  if (ValueOf(request.headers, "x-aws-ec2-metadata-token") !=
      absl::StrCat("token-", instance->token)) {
    return {401, "", {}};
  }
  if (request.path == "/latest/meta-data/spot/instance-action" && instance->end_unix_ms != 0) {
    return {200, Json{{"action", "terminate"}, {"time", Iso(instance->end_unix_ms)}}.dump(), {}};
  }
  if (request.path == "/latest/meta-data/events/recommendations/rebalance" &&
      instance->rebalance_unix_ms != 0) {
    return {200, Json{{"noticeTime", Iso(instance->rebalance_unix_ms)}}.dump(), {}};
  }
  if (request.path == "/latest/meta-data/events/maintenance/scheduled") return {200, "[]", {}};
  return {};
}

Answer Gcp(const Request& request, const Instance& instance) {
  if (ValueOf(request.headers, "metadata-flavor") != "Google") return {403, "", {}};
  const std::map<std::string, std::string> headers = {{kFlavor, "Google"},
                                                      {"ETag", absl::StrCat(instance.version)}};
  const absl::string_view path = request.path;
  if (path == "/computeMetadata/v1/instance/preempted") {
    return {200, instance.end_unix_ms != 0 ? "TRUE" : "FALSE", headers};
  }
  if (path == "/computeMetadata/v1/instance/maintenance-event") return {200, "NONE", headers};
  if (path == "/computeMetadata/v1/instance/id") return {200, "7", headers};
  return {404, "", {{kFlavor, "Google"}}};
}

Answer Azure(const Request& request, const Instance& instance) {
  if (ValueOf(request.headers, "metadata") != "true") return {400, "", {}};
  if (request.path == "/metadata/instance/compute") {
    return {200, Json{{"name", "vm0"}}.dump(), {}};
  }
  if (request.path != "/metadata/scheduledevents") return {};
  if (request.method == "POST") return {200, "", {}};
  Json events = Json::array();
  if (instance.end_unix_ms != 0) {
    events.push_back({{"EventId", absl::StrCat("event-", instance.end_unix_ms)},
                      {"EventType", "Preempt"},
                      {"ResourceType", "VirtualMachine"},
                      {"Resources", {"vm0"}},
                      {"EventStatus", "Scheduled"},
                      {"EventSource", "Platform"},
                      {"NotBefore", Stamp(instance.end_unix_ms, "%a, %d %b %Y %H:%M:%S GMT")}});
  }
  return {200, Json{{"DocumentIncarnation", instance.version}, {"Events", events}}.dump(), {}};
}

}  // namespace

std::string NameOf(Cloud cloud) {
  return cloud == Cloud::kAws ? "aws" : cloud == Cloud::kGcp ? "gcp" : "azure";
}

Answer AnswerOf(Cloud cloud, const Request& request, Instance* instance) {
  if (cloud == Cloud::kAws) return Aws(request, instance);
  return cloud == Cloud::kGcp ? Gcp(request, *instance) : Azure(request, *instance);
}

int64_t WaitsSeconds(Cloud cloud, const Request& request, const Instance& instance) {
  if (cloud != Cloud::kGcp || ValueOf(request.query, "wait_for_change") != "true") return 0;
  const std::string seen = ValueOf(request.query, "last_etag");
  if (!seen.empty() && seen != absl::StrCat(instance.version)) return 0;
  int64_t seconds = kLongestWaitS;
  const std::string asked = ValueOf(request.query, "timeout_sec");
  if (!asked.empty() && !absl::SimpleAtoi(asked, &seconds)) return 0;
  return std::clamp<int64_t>(seconds, 0, kLongestWaitS);
}

}  // namespace baton::client::chaos
