#include "worker/notice/gcp.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/printable.h"

namespace baton::worker {
namespace {

constexpr char kSource[] = "gcp";
constexpr char kInstance[] = "/computeMetadata/v1/instance/";
constexpr char kFlavor[] = "Metadata-Flavor: Google";

// Shorter than what a connection in between may be cut after.
constexpr int64_t kWaitSeconds = 60;
constexpr int64_t kAnswerMs = 5'000;
// After an answer that came at once, or none.
constexpr int64_t kAgainMs = 1'000;

constexpr int64_t kMaintenanceMs = 60'000;
constexpr int64_t kMaintenanceOfGpusMs = 3'600'000;

Notice Make(const std::string& kind, int64_t deadline_ms, const std::string& reason,
            int64_t unix_ms) {
  Notice notice;
  notice.source = kSource;
  notice.kind = kind;
  notice.deadline_ms = deadline_ms;
  notice.reason = reason;
  notice.noticed_ms = unix_ms;
  return notice;
}

// A value that is asked for at once, and from then on when it has changed.
class Talk : public MetadataTalk {
 public:
  explicit Talk(std::string name) : name_(std::move(name)) {}

  MetadataRequest Next(int64_t unix_ms) override {
    MetadataRequest request;
    request.path = absl::StrCat(kInstance, name_);
    request.headers = {kFlavor};
    if (etag_.empty()) {
      request.wait_ms = asked_ms_ == 0 ? 0 : kAgainMs;
    } else {
      absl::StrAppend(&request.path, "?wait_for_change=true&timeout_sec=", kWaitSeconds,
                      "&last_etag=", etag_);
      request.timeout_ms = kWaitSeconds * 1000 + kAnswerMs;
      // A server that does not wait is not asked without a pause.
      if (unix_ms - asked_ms_ < kAgainMs) request.wait_ms = kAgainMs;
    }
    asked_ms_ = unix_ms + request.wait_ms;
    return request;
  }

  std::vector<Event> Take(const MetadataReply& reply, int64_t unix_ms,
                          NoticeBoard* board) override {
    etag_.clear();
    // Silence withdraws nothing: the service may be unreachable once the end has begun.
    if (reply.code != 200) return {};
    for (const std::string& header : reply.headers) {
      const size_t colon = header.find(':');
      if (colon == std::string::npos ||
          !absl::EqualsIgnoreCase(absl::string_view(header).substr(0, colon), "etag")) {
        continue;
      }
      etag_ = std::string(absl::StripAsciiWhitespace(absl::string_view(header).substr(colon + 1)));
    }
    if (etag_.empty()) etag_ = "0";
    const std::string value(absl::StripAsciiWhitespace(reply.body));
    if (value == value_) return {};
    value_ = value;
    return Changed(value, unix_ms, board);
  }

 protected:
  virtual std::vector<Event> Changed(const std::string& value, int64_t unix_ms,
                                     NoticeBoard* board) = 0;

  void Wonder(const std::string& value) const {
    LogWarning(absl::StrCat("GCP's ", name_, " is not understood: ", Printable(value, 80)));
  }

 private:
  const std::string name_;
  std::string etag_;  // of the newest value; empty: none since the last failure
  std::string value_;
  int64_t asked_ms_ = 0;
};

class PreemptedTalk : public Talk {
 public:
  PreemptedTalk() : Talk("preempted") {}

 protected:
  std::vector<Event> Changed(const std::string& value, int64_t unix_ms,
                             NoticeBoard* board) override {
    if (absl::EqualsIgnoreCase(value, "FALSE")) return board->Set("preempted", std::nullopt);
    if (!absl::EqualsIgnoreCase(value, "TRUE")) {
      Wonder(value);
      return {};
    }
    return board->Set("preempted", Make("preempt", unix_ms + kUsableMs,
                                        "GCP takes this spot instance away", unix_ms));
  }
};

class MaintenanceTalk : public Talk {
 public:
  MaintenanceTalk(bool has_gpus, int64_t promised_ms)
      : Talk("maintenance-event"), has_gpus_(has_gpus), promised_ms_(promised_ms) {}

  int64_t promised_ms() const override { return promised_ms_; }

 protected:
  std::vector<Event> Changed(const std::string& value, int64_t unix_ms,
                             NoticeBoard* board) override {
    if (value == "NONE") {
      promised_ms_ = 0;
      return board->Set("maintenance", std::nullopt);
    }
    // One that is over was for a former maintenance.
    if (promised_ms_ <= unix_ms) {
      promised_ms_ = unix_ms + (has_gpus_ ? kMaintenanceOfGpusMs : kMaintenanceMs);
    }
    Notice notice = Make("maintenance", promised_ms_, "GCP maintains this node's host", unix_ms);
    if (value == "MIGRATE_ON_HOST_MAINTENANCE") {
      notice.certain = false;  // it lives on, slower for a while
    } else if (value != "TERMINATE_ON_HOST_MAINTENANCE") {
      Wonder(value);
      return {};
    }
    return board->Set("maintenance", notice);
  }

 private:
  const bool has_gpus_;
  int64_t promised_ms_;
};

}  // namespace

std::unique_ptr<MetadataTalk> GcpPreemptedTalk() { return std::make_unique<PreemptedTalk>(); }

std::unique_ptr<MetadataTalk> GcpMaintenanceTalk(bool has_gpus, int64_t promised_ms) {
  return std::make_unique<MaintenanceTalk>(has_gpus, promised_ms);
}

MetadataRequest GcpProbe() {
  MetadataRequest request;
  request.path = "/computeMetadata/v1/instance/id";
  request.headers = {kFlavor};
  return request;
}

bool IsGcp(const MetadataReply& reply) {
  return reply.code == 200 &&
         std::any_of(reply.headers.begin(), reply.headers.end(), [](const std::string& header) {
           return absl::EqualsIgnoreCase(header, kFlavor);
         });
}

}  // namespace baton::worker
