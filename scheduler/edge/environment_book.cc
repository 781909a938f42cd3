#include "scheduler/edge/environment_book.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/artifact/chunk.h"
#include "common/artifact/manifest.h"
#include "common/atomic_file.h"
#include "common/log.h"
#include "common/status.h"

namespace baton::edge {
namespace {

namespace fs = std::filesystem;

absl::Status CheckKey(const std::string& key) {
  if (artifact::IsDigest(key)) return absl::OkStatus();
  return absl::InvalidArgumentError("key: is no SHA-256 in hexadecimal");
}

}  // namespace

EnvironmentBook::EnvironmentBook(std::string folder, artifact::Store& store, const Clock& clock,
                                 const EnvironmentLimits& limits)
    : folder_(std::move(folder)), store_(store), clock_(clock), limits_(limits) {}

absl::StatusOr<std::unique_ptr<EnvironmentBook>> EnvironmentBook::Open(
    const std::string& folder, artifact::Store& store, const Clock& clock,
    const EnvironmentLimits& limits) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("make the folder ", folder));
  std::unique_ptr<EnvironmentBook> book(new EnvironmentBook(folder, store, clock, limits));
  book->Load();
  return book;
}

// A file that can't be read is no entry: its environment is set up once more.
void EnvironmentBook::Load() {
  std::lock_guard<std::mutex> lock(mutex_);
  std::error_code error;
  for (auto at = fs::directory_iterator(folder_, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    const std::string key = at->path().filename().string();
    struct stat info {};
    if (!artifact::IsDigest(key) || stat(at->path().c_str(), &info) != 0) continue;
    const auto text = ReadFile(at->path().string());
    const auto json = nlohmann::json::parse(text.ok() ? *text : std::string(), nullptr,
                                            /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("manifest") || !json["manifest"].is_string() ||
        !json.contains("bytes") || !json["bytes"].is_number_integer() ||
        !artifact::IsDigest(json["manifest"].get<std::string>())) {
      LogWarning(absl::StrCat("the entry ", at->path().string(), " is damaged and is not used"));
      continue;
    }
    entries_[key] = {json["manifest"].get<std::string>(), json["bytes"].get<int64_t>(),
                     int64_t{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1'000'000};
  }
}

void EnvironmentBook::Touch(const std::string& key, Entry* entry) {
  entry->used_ms = clock_.UnixMillis();
  timespec times[2];
  times[0] = {entry->used_ms / 1000, entry->used_ms % 1000 * 1'000'000};
  times[1] = times[0];
  // It orders entries after a restart, no more.
  (void)utimensat(AT_FDCWD, absl::StrCat(folder_, "/", key).c_str(), times, 0);
}

void EnvironmentBook::Drop(const std::string& key) {
  (void)unlink(absl::StrCat(folder_, "/", key).c_str());
  entries_.erase(key);
}

absl::StatusOr<std::string> EnvironmentBook::Find(const std::string& key) {
  BATON_RETURN_IF_ERROR(CheckKey(key));
  std::lock_guard<std::mutex> lock(mutex_);
  const auto at = entries_.find(key);
  if (at == entries_.end()) return absl::NotFoundError("no such environment is stored");
  Touch(key, &at->second);
  return at->second.manifest;
}

absl::StatusOr<std::string> EnvironmentBook::Register(const std::string& key,
                                                      const std::string& manifest) {
  BATON_RETURN_IF_ERROR(CheckKey(key));
  const auto bytes = store_.GetManifest(manifest);
  if (!bytes.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("manifest_digest: the store does not have it: ", bytes.status().message()));
  }
  BATON_ASSIGN_OR_RETURN(const artifact::Manifest parsed, artifact::ParseManifest(*bytes));
  Entry fresh;
  fresh.manifest = manifest;
  fresh.bytes = artifact::TotalBytes(parsed);
  if (fresh.bytes > limits_.bytes_max) {
    return absl::ResourceExhaustedError(absl::StrCat("an environment of ", fresh.bytes,
                                                     " bytes is not kept, at most ",
                                                     limits_.bytes_max, " are"));
  }
  std::lock_guard<std::mutex> lock(mutex_);
  if (const auto at = entries_.find(key); at != entries_.end()) {
    // Of two nodes that set up the same at once both are right.
    if (store_.GetManifest(at->second.manifest).ok()) {
      Touch(key, &at->second);
      return at->second.manifest;
    }
    Drop(key);
  }
  const nlohmann::json json = {{"manifest", fresh.manifest}, {"bytes", fresh.bytes}};
  BATON_RETURN_IF_ERROR(
      WriteFileAtomically(absl::StrCat(folder_, "/", key), absl::StrCat(json.dump(), "\n")));
  Entry& entry = entries_[key] = fresh;
  Touch(key, &entry);
  DropBeyondLimits(key);
  return fresh.manifest;
}

void EnvironmentBook::DropBeyondLimits(const std::string& spared) {
  int64_t bytes = 0;
  for (const auto& [key, entry] : entries_) bytes += entry.bytes;
  while (entries_.size() > limits_.entries_max || bytes > limits_.bytes_max) {
    auto oldest = entries_.end();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (at->first == spared) continue;
      if (oldest == entries_.end() || at->second.used_ms < oldest->second.used_ms) oldest = at;
    }
    if (oldest == entries_.end()) return;
    bytes -= oldest->second.bytes;
    Drop(std::string(oldest->first));
  }
}

std::vector<std::string> EnvironmentBook::Manifests() {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> gone, manifests;
  for (const auto& [key, entry] : entries_) {
    // A collection ends where a manifest that it must spare can't be read.
    if (store_.GetManifest(entry.manifest).ok()) {
      manifests.push_back(entry.manifest);
    } else {
      gone.push_back(key);
    }
  }
  for (const std::string& key : gone) Drop(key);
  return manifests;
}

}  // namespace baton::edge
