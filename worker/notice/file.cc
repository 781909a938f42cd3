#include "worker/notice/file.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/log.h"

namespace baton::worker {
namespace {

using nlohmann::json;
constexpr int64_t kBytesMax = 64 << 10;
constexpr double kSecondsMax = 1e11;  // year 5138

std::string Text(const json& object, const char* name, const char* otherwise) {
  const auto at = object.find(name);
  return at != object.end() && at->is_string() ? at->get<std::string>() : otherwise;
}

}  // namespace

std::optional<Notice> ParseNotice(const std::string& text, int64_t unix_ms) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  const auto seconds = object.find("seconds");
  const auto time = object.find("unix_time");
  const auto at = time != object.end() ? time : seconds;
  if (at == object.end() || !at->is_number()) return std::nullopt;
  const double value = at->get<double>();
  if (!(value >= 0 && value <= kSecondsMax)) return std::nullopt;
  Notice notice;
  notice.source = "file";
  notice.kind = Text(object, "kind", "preempt");
  notice.reason = Text(object, "reason", "");
  notice.deadline_ms = static_cast<int64_t>(value * 1000) + (time == object.end() ? unix_ms : 0);
  notice.noticed_ms = unix_ms;
  const auto certain = object.find("certain");
  notice.certain = certain == object.end() || !certain->is_boolean() || certain->get<bool>();
  return notice;
}

std::vector<Event> NoticeFile::Poll(int64_t unix_ms) {
  struct stat info {};
  std::string text;
  if (stat(path_.c_str(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size <= kBytesMax) {
    auto read = ReadFile(path_);
    if (read.ok()) text = *std::move(read);
  }
  if (text == text_) return {};
  text_ = text;
  if (text.empty()) {
    if (!notice_.has_value()) return {};
    Notice withdrawn = *notice_;
    notice_.reset();
    withdrawn.withdrawn = true;
    return {Noticed{withdrawn}};
  }
  // A file that is not written whole is looked at again when it has changed.
  const std::optional<Notice> notice = ParseNotice(text, unix_ms);
  if (!notice.has_value()) {
    LogWarning(absl::StrCat(path_, R"( is no notice: {"seconds": 30, "reason": "why"})"));
    return {};
  }
  notice_ = notice;
  return {Noticed{*notice}};
}

}  // namespace baton::worker
