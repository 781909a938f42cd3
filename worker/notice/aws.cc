#include "worker/notice/aws.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/printable.h"
#include "worker/notice/metadata_time.h"

namespace baton::worker {
namespace {

using nlohmann::json;

constexpr char kSource[] = "aws";
constexpr char kTokenPath[] = "/latest/api/token";
constexpr int64_t kTokenSeconds = 21'600;
constexpr int kNoToken = 401;

constexpr int64_t kEveryMs = 1'000;
constexpr int64_t kRebalanceEveryMs = 5'000;
constexpr int64_t kMaintenanceEveryMs = 60'000;
// From when on a maintenance that is days ahead empties the node.
constexpr int64_t kMaintenanceAheadMs = 10 * 60'000;

std::string Text(const json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

std::optional<Notice> Interruption(const std::string& body, int64_t unix_ms) {
  const json object = json::parse(body, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  const std::string action = Text(object, "action");
  const std::optional<int64_t> time = ParseMetadataTime(Text(object, "time"));
  if (action.empty() && !time.has_value()) return std::nullopt;
  Notice notice;
  notice.source = kSource;
  notice.kind = "preempt";
  notice.reason = absl::StrCat("AWS takes this spot instance away (",
                               action.empty() ? "no action told" : Printable(action, 40), ")");
  notice.noticed_ms = unix_ms;
  // Hibernation begins with the notice, not at its time.
  notice.deadline_ms = action == "hibernate" ? unix_ms : time.value_or(unix_ms + kUsableMs);
  return notice;
}

class Talk : public MetadataTalk {
 public:
  MetadataRequest Next(int64_t unix_ms) override {
    MetadataRequest request;
    if (has_tokens_ && unix_ms >= token_until_ms_) {
      asked_ = Asked::kToken;
      request = AwsProbe();
      request.wait_ms = token_failed_ ? kEveryMs : 0;
      return request;
    }
    if (unix_ms >= rebalance_ms_) {
      asked_ = Asked::kRebalance;
      rebalance_ms_ = unix_ms + kRebalanceEveryMs;
      request.path = "/latest/meta-data/events/recommendations/rebalance";
    } else if (unix_ms >= maintenance_ms_) {
      asked_ = Asked::kMaintenance;
      maintenance_ms_ = unix_ms + kMaintenanceEveryMs;
      request.path = "/latest/meta-data/events/maintenance/scheduled";
    } else {
      asked_ = Asked::kInterruption;
      request.wait_ms = std::clamp<int64_t>(interruption_ms_ - unix_ms, 0, kEveryMs);
      interruption_ms_ = unix_ms + request.wait_ms + kEveryMs;
      request.path = "/latest/meta-data/spot/instance-action";
    }
    if (!token_.empty())
      request.headers.push_back(absl::StrCat("X-aws-ec2-metadata-token: ", token_));
    return request;
  }

  std::vector<Event> Take(const MetadataReply& reply, int64_t unix_ms,
                          NoticeBoard* board) override {
    if (asked_ == Asked::kToken) {
      TakeToken(reply, unix_ms);
      return {};
    }
    if (reply.code == kNoToken) {  // expired, or the service has begun to want one
      has_tokens_ = true;
      token_until_ms_ = 0;
      return {};
    }
    // Silence and errors withdraw nothing: the service may be unreachable once the end has begun.
    if (reply.code != 200 && reply.code != 404) return {};
    const std::string& body = reply.code == 200 ? reply.body : "";
    switch (asked_) {
      case Asked::kToken:
        return {};
      case Asked::kInterruption:
        return TakeInterruption(body, unix_ms, board);
      case Asked::kRebalance:
        return TakeRebalance(body, unix_ms, board);
      case Asked::kMaintenance:
        return TakeMaintenance(body, unix_ms, board);
    }
    return {};
  }

 private:
  enum class Asked : uint8_t { kToken, kInterruption, kRebalance, kMaintenance };

  void TakeToken(const MetadataReply& reply, int64_t unix_ms) {
    token_failed_ = reply.code != 200 || reply.body.empty();
    if (!token_failed_) {
      token_ = reply.body;
      token_until_ms_ = unix_ms + kTokenSeconds * 1000 / 2;
    } else if (reply.code == 403 || reply.code == 404 || reply.code == 405) {
      token_.clear();
      has_tokens_ = false;
    }
  }

  std::vector<Event> TakeInterruption(const std::string& body, int64_t unix_ms,
                                      NoticeBoard* board) {
    if (body.empty()) {
      interruption_.reset();
      body_.clear();
    } else if (body != body_) {
      body_ = body;
      const std::optional<Notice> notice = Interruption(body, unix_ms);
      if (!notice.has_value()) {
        LogWarning(
            absl::StrCat("AWS' spot/instance-action is not understood: ", Printable(body, 200)));
        return {};
      }
      interruption_ = notice;
    }
    return board->Set("action", interruption_);
  }

  static std::vector<Event> TakeRebalance(const std::string& body, int64_t unix_ms,
                                          NoticeBoard* board) {
    if (body.empty()) return board->Set("rebalance", std::nullopt);
    const json object = json::parse(body, nullptr, false);
    if (!object.is_object()) return {};
    Notice notice;
    notice.source = kSource;
    notice.kind = "rebalance";
    notice.certain = false;
    notice.reason = "AWS sees a higher risk for this spot instance";
    notice.noticed_ms = unix_ms;
    return board->Set("rebalance", notice);
  }

  static std::vector<Event> TakeMaintenance(const std::string& body, int64_t unix_ms,
                                            NoticeBoard* board) {
    const json list = json::parse(body.empty() ? "[]" : body, nullptr, false);
    if (!list.is_array()) return {};
    std::vector<Event> events;
    std::vector<std::string> names;
    for (const json& entry : list) {
      if (!entry.is_object() || Text(entry, "State") != "active") continue;
      const std::optional<int64_t> begin = ParseMetadataTime(Text(entry, "NotBefore"));
      const std::string code = Text(entry, "Code");
      if (!begin.has_value() || code.empty()) continue;
      Notice notice;
      notice.source = kSource;
      notice.kind = "maintenance";
      // Through system-maintenance (network, power) an instance lives.
      notice.certain = code != "system-maintenance" && *begin - unix_ms <= kMaintenanceAheadMs;
      notice.deadline_ms = *begin;
      notice.reason = absl::StrCat("AWS has planned maintenance (", Printable(code, 40), ")");
      notice.noticed_ms = unix_ms;
      names.push_back(absl::StrCat("maintenance/", Text(entry, "EventId")));
      for (Event& event : board->Set(names.back(), notice)) events.push_back(std::move(event));
    }
    for (Event& event : board->Keep("maintenance/", names)) events.push_back(std::move(event));
    return events;
  }

  Asked asked_ = Asked::kToken;
  bool has_tokens_ = true;
  bool token_failed_ = false;
  std::string token_;
  int64_t token_until_ms_ = 0;
  int64_t interruption_ms_ = 0;  // when it is asked for next, and so on
  int64_t rebalance_ms_ = 0;
  int64_t maintenance_ms_ = 0;
  std::string body_;
  std::optional<Notice> interruption_;
};

}  // namespace

std::unique_ptr<MetadataTalk> AwsTalk() { return std::make_unique<Talk>(); }

MetadataRequest AwsProbe() {
  MetadataRequest request;
  request.method = "PUT";
  request.path = kTokenPath;
  request.headers = {absl::StrCat("X-aws-ec2-metadata-token-ttl-seconds: ", kTokenSeconds)};
  return request;
}

bool IsAws(const MetadataReply& reply) { return reply.code == 200 && !reply.body.empty(); }

}  // namespace baton::worker
