#include "worker/notice/azure.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/printable.h"
#include "worker/notice/metadata_time.h"

namespace baton::worker {
namespace {

using nlohmann::json;

constexpr char kSource[] = "azure";
constexpr char kHeader[] = "Metadata: true";
constexpr char kEventsPath[] = "/metadata/scheduledevents?api-version=2020-07-01";
constexpr char kNamePath[] = "/metadata/instance/compute?api-version=2021-02-01&format=json";
constexpr char kPrefix[] = "event/";

constexpr int64_t kEveryMs = 1'000;
constexpr int64_t kFirstMs = 150'000;  // the first question switches the service on: two minutes
constexpr int64_t kAnswerMs = 5'000;
constexpr int kNameTries = 3;

std::string Text(const json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

// What an event does to this node; nullopt: an event that Baton does not know.
struct Meaning {
  const char* type;
  const char* kind;
  bool certain;
};
constexpr Meaning kMeanings[] = {{"Preempt", "preempt", true},
                                 {"Terminate", "preempt", true},
                                 {"Reboot", "maintenance", true},
                                 {"Redeploy", "maintenance", true},
                                 {"Freeze", "maintenance", false}};  // for seconds; it lives on

class Talk : public MetadataTalk {
 public:
  MetadataRequest Next(int64_t unix_ms) override {
    MetadataRequest request;
    request.headers = {kHeader};
    asked_ = Asked::kEvents;
    if (name_.empty() && name_tries_ < kNameTries) {
      ++name_tries_;
      asked_ = Asked::kName;
      request.path = kNamePath;
      return request;
    }
    request.path = kEventsPath;
    request.timeout_ms = has_answered_ ? kAnswerMs : kFirstMs;
    if (idle_.load() && !approvable_.empty()) {
      json events = json::array();
      for (const std::string& id : approvable_) events.push_back({{"EventId", id}});
      asked_ = Asked::kApproval;
      request.method = "POST";
      request.headers.emplace_back("Content-Type: application/json");
      request.body = json{{"StartRequests", events}}.dump();
      return request;
    }
    request.wait_ms = std::clamp<int64_t>(events_ms_ - unix_ms, 0, kEveryMs);
    events_ms_ = unix_ms + request.wait_ms + kEveryMs;
    return request;
  }

  std::vector<Event> Take(const MetadataReply& reply, int64_t unix_ms,
                          NoticeBoard* board) override {
    switch (asked_) {
      case Asked::kName:
        if (reply.code == 200) {
          const json object = json::parse(reply.body, nullptr, false);
          if (object.is_object()) name_ = Text(object, "name");
        }
        return {};
      case Asked::kApproval:
        // Once: one that was refused would be refused again. A service that is busy is asked again.
        if (reply.code >= 200 && reply.code < 500 && reply.code != 429) {
          for (const std::string& id : approvable_) approved_.insert(id);
        }
        approvable_.clear();
        return {};
      case Asked::kEvents:
        break;
    }
    // Silence and errors withdraw nothing: the service may be unreachable once the end has begun.
    if (reply.code != 200) return {};
    has_answered_ = true;
    const json object = json::parse(reply.body, nullptr, false);
    const auto list = object.is_object() ? object.find("Events") : object.end();
    if (!object.is_object() || list == object.end() || !list->is_array()) {
      if (!std::exchange(has_wondered_, true)) {
        LogWarning(absl::StrCat("Azure's scheduled events are not understood: ",
                                Printable(reply.body, 200)));
      }
      return {};
    }
    return TakeEvents(*list, unix_ms, board);
  }

  void SetIdle(bool idle) override { idle_ = idle; }
  bool WaitsForIdle() const override { return true; }

 private:
  enum class Asked : uint8_t { kName, kEvents, kApproval };

  bool IsOurs(const json& event) const {
    const auto resources = event.find("Resources");
    if (name_.empty() || resources == event.end() || !resources->is_array()) return true;
    return std::any_of(resources->begin(), resources->end(), [this](const json& resource) {
      return resource.is_string() && absl::EqualsIgnoreCase(resource.get<std::string>(), name_);
    });
  }

  std::vector<Event> TakeEvents(const json& list, int64_t unix_ms, NoticeBoard* board) {
    std::vector<Event> news;
    std::vector<std::string> names;
    approvable_.clear();
    for (const json& event : list) {
      if (!event.is_object() || !IsOurs(event)) continue;
      const std::string id = Text(event, "EventId");
      const std::string type = Text(event, "EventType");
      const auto* const meaning =
          std::find_if(std::begin(kMeanings), std::end(kMeanings),
                       [&](const Meaning& m) { return absl::EqualsIgnoreCase(m.type, type); });
      const std::string status = Text(event, "EventStatus");
      if (id.empty() || meaning == std::end(kMeanings) || status == "Completed") continue;
      const bool scheduled = status == "Scheduled" || status.empty();
      if (meaning->certain && scheduled && approved_.count(id) == 0) approvable_.push_back(id);
      Notice notice;
      notice.source = kSource;
      notice.kind = meaning->kind;
      notice.certain = meaning->certain;
      notice.reason = absl::StrCat("Azure has scheduled a ", Printable(type, 40), " of this VM");
      notice.noticed_ms = unix_ms;
      // Blank once it has begun: the time that it had, else what can be counted on.
      const std::optional<int64_t> begin = ParseMetadataTime(Text(event, "NotBefore"));
      int64_t& deadline_ms = deadlines_.try_emplace(id, unix_ms + kUsableMs).first->second;
      if (begin.has_value()) deadline_ms = *begin;
      notice.deadline_ms = deadline_ms;
      names.push_back(absl::StrCat(kPrefix, id));
      for (Event& e : board->Set(names.back(), notice)) news.push_back(std::move(e));
    }
    for (Event& e : board->Keep(kPrefix, names)) news.push_back(std::move(e));
    return news;
  }

  Asked asked_ = Asked::kName;
  std::string name_;  // of this VM; empty: not known
  int name_tries_ = 0;
  bool has_answered_ = false;
  bool has_wondered_ = false;
  int64_t events_ms_ = 0;                     // when they are asked for next
  std::map<std::string, int64_t> deadlines_;  // by the event's id
  std::vector<std::string> approvable_;
  std::set<std::string> approved_;
  std::atomic<bool> idle_ = false;
};

}  // namespace

std::unique_ptr<MetadataTalk> AzureTalk() { return std::make_unique<Talk>(); }

MetadataRequest AzureProbe() {
  MetadataRequest request;
  request.path = kNamePath;
  request.headers = {kHeader};
  return request;
}

bool IsAzure(const MetadataReply& reply) {
  return reply.code == 200 && json::parse(reply.body, nullptr, false).is_object();
}

}  // namespace baton::worker
