#include "client/render/gang.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/render/format.h"
#include "client/render/table.h"

namespace baton::client {
namespace {

using Json = nlohmann::ordered_json;

double Seconds(int64_t ms) { return static_cast<double>(ms) / 1000; }
Json Time(int64_t unix_ms) { return unix_ms == 0 ? Json() : Json(Seconds(unix_ms)); }
std::string SecondsText(int64_t ms) { return absl::StrFormat("%.2f s", Seconds(ms)); }

// Who noticed it first.
std::string DetectorText(const std::string& detector) {
  if (detector == "notice") return "by a notice";
  if (detector == "exit") return "by its worker";
  if (detector == "peers") return "by its peers";
  if (detector == "connection") return "by its node's connection";
  if (detector == "lease") return "by its node's silence";
  return absl::StrCat("by ", detector);
}

std::string NoticedText(const v1::Loss& loss) {
  const std::string text = DetectorText(loss.detector());
  return loss.delay_ms() == 0 ? text : absl::StrCat(text, ", after ", SecondsText(loss.delay_ms()));
}

}  // namespace

std::string LossesText(const v1::Job& job) {
  if (job.losses().empty()) return "";
  std::vector<std::vector<std::string>> rows = {
      {"  at", "rank", "node", "noticed", "steps lost", "next step"}};
  for (const v1::Loss& loss : job.losses()) {
    rows.push_back(
        {absl::StrCat("  ", ClockTime(loss.at_unix_ms())), absl::StrCat(loss.rank()), loss.node(),
         NoticedText(loss), Thousands(loss.steps_lost()),
         loss.recovery_ms() < 0 ? "-" : absl::StrCat("after ", SecondsText(loss.recovery_ms()))});
  }
  return absl::StrCat("\nlosses\n", Table(rows));
}

std::string NoticesText(const v1::Job& job) {
  if (job.notices().empty()) return "";
  std::vector<std::vector<std::string>> rows = {{"  seen", "node", "notice", "deadline"}};
  for (const v1::SeenNotice& notice : job.notices()) {
    rows.push_back({absl::StrCat("  ", ClockTime(notice.seen_unix_ms())), notice.node(),
                    absl::StrCat(notice.kind(), " by ", notice.source()),
                    notice.deadline_unix_ms() == 0 ? "-" : ClockTime(notice.deadline_unix_ms())});
  }
  return absl::StrCat("\nnotices\n", Table(rows));
}

Json LossesJson(const v1::Job& job) {
  Json list = Json::array();
  for (const v1::Loss& loss : job.losses()) {
    Json json;
    json["rank"] = loss.rank();
    json["node"] = loss.node();
    json["detector"] = loss.detector();
    json["delay_s"] = Seconds(loss.delay_ms());
    json["steps_lost"] = loss.steps_lost();
    json["recovery_s"] = loss.recovery_ms() < 0 ? Json() : Json(Seconds(loss.recovery_ms()));
    json["at"] = Time(loss.at_unix_ms());
    json["attempt"] = loss.attempt();
    json["generation"] = loss.generation();
    list.push_back(json);
  }
  return list;
}

Json NoticesJson(const v1::Job& job) {
  Json list = Json::array();
  for (const v1::SeenNotice& notice : job.notices()) {
    Json json;
    json["source"] = notice.source();
    json["kind"] = notice.kind();
    json["deadline"] = Time(notice.deadline_unix_ms());
    json["seen_at"] = Time(notice.seen_unix_ms());
    json["node"] = notice.node();
    list.push_back(json);
  }
  return list;
}

}  // namespace baton::client
