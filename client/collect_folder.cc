#include "client/collect_folder.h"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/atomic_file.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

namespace fs = std::filesystem;

constexpr char kRecordName[] = ".baton-collect.json";
constexpr char kOwnLogs[] = "attempt-*-rank-*.log";
constexpr char kAside[] = "outputs/";

// Also when a file of Baton's would have to be a folder, or the other way round.
bool IsOwn(const std::string& path) {
  static const std::set<std::string> own = {"job.json",          "job.json.tmp", "metrics.jsonl",
                                            "metrics.jsonl.tmp", "metrics.csv",  "metrics.csv.tmp",
                                            kRecordName};
  if (path == "logs" || path == "outputs") return true;
  const std::string first = path.substr(0, path.find('/'));
  if (own.count(first) > 0) return true;
  if (first != "logs") return false;
  const std::string rest = path.substr(first.size() + 1);
  return ::fnmatch(kOwnLogs, rest.substr(0, rest.find('/')).c_str(), 0) == 0;
}

// The record lies where anybody may have changed it, and what it names is removed.
bool StaysInside(const std::string& file) {
  const fs::path path = fs::path(file).lexically_normal();
  return !path.empty() && path.is_relative() && *path.begin() != ".." && path != ".";
}

void Remove(const std::string& folder, const std::string& file) {
  std::error_code ignored;
  fs::remove(fs::path(folder) / file, ignored);
  for (fs::path parent = fs::path(file).parent_path(); !parent.empty();
       parent = parent.parent_path()) {
    if (!fs::remove(fs::path(folder) / parent, ignored)) return;  // not empty
  }
}

void RemoveOwn(const std::string& folder) {
  for (const char* name : {"job.json", "metrics.jsonl", "metrics.csv"}) Remove(folder, name);
  std::vector<std::string> logs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder + "/logs", error)) {
    const std::string name = entry.path().filename().string();
    if (::fnmatch(kOwnLogs, name.c_str(), 0) == 0) logs.push_back("logs/" + name);
  }
  for (const std::string& log : logs) Remove(folder, log);
}

}  // namespace

std::string PlaceOfOutput(const std::string& path) {
  // outputs/job.json must not meet a job.json that was put aside, and so on.
  absl::string_view inner = path;
  while (absl::ConsumePrefix(&inner, kAside)) {
  }
  return IsOwn(std::string(inner)) ? absl::StrCat(kAside, path) : path;
}

CollectRecord ReadCollectRecord(const std::string& folder) {
  CollectRecord record;
  const absl::StatusOr<std::string> text = ReadFile(absl::StrCat(folder, "/", kRecordName));
  if (!text.ok()) return record;
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object() || !json.contains("job") || !json["job"].is_string()) return record;
  record.job = json["job"];
  if (!json.contains("files") || !json["files"].is_array()) return record;
  for (const auto& file : json["files"]) {
    if (file.is_string() && StaysInside(file)) record.files.push_back(file);
  }
  return record;
}

absl::Status ReplaceCollected(const std::string& folder, const CollectRecord& before,
                              const CollectRecord& now) {
  const std::set<std::string> kept(now.files.begin(), now.files.end());
  for (const std::string& file : before.files) {
    if (kept.count(file) == 0) Remove(folder, file);
  }
  if (!before.job.empty() && before.job != now.job) RemoveOwn(folder);
  const nlohmann::ordered_json json = {{"job", now.job}, {"files", now.files}};
  return WriteFileAtomically(
      absl::StrCat(folder, "/", kRecordName),
      json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace baton::client
