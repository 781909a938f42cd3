#include "worker/checkpoint/watcher.h"

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/log.h"

namespace baton::worker {
namespace {

constexpr size_t kNameBytesMax = 128;
constexpr int64_t kMetaBytesMax = 1 << 20;
// A file system's clock ticks by up to 10 ms: a change within the same tick has the same time.
constexpr int64_t kTickNs = 50'000'000;

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

bool IsGoodName(const std::string& name) {
  if (name.size() > kNameBytesMax || name[0] == '.') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '=' || c == '+';
  });
}

int64_t StepOf(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/", contract::kCheckpointMeta);
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return 0;
  if (!S_ISREG(info.st_mode) || info.st_size > kMetaBytesMax) return 0;
  const auto text = ReadFile(path);
  if (!text.ok()) return 0;
  const auto meta = nlohmann::json::parse(*text, nullptr, false);
  if (!meta.is_object()) return 0;
  const auto step = meta.find("step");
  if (step == meta.end() || !step->is_number_integer()) return 0;
  return std::max<int64_t>(0, step->get<int64_t>());
}

}  // namespace

std::vector<FoundCheckpoint> CheckpointWatcher::Look(int64_t now_ms) {
  struct stat info {};
  if (stat(folder_.c_str(), &info) != 0) return {};
  const int64_t changed_ns = Nanoseconds(info.st_mtim);
  if (settled_ && changed_ns == changed_ns_) return {};
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  settled_ = Nanoseconds(now) - changed_ns > kTickNs;
  changed_ns_ = changed_ns;

  std::vector<std::pair<int64_t, FoundCheckpoint>> found;  // by time of the last change inside
  DIR* folder = opendir(folder_.c_str());
  if (folder == nullptr) return {};
  while (const dirent* entry = readdir(folder)) {
    const std::string name = entry->d_name;
    if (name == "." || name == ".." || absl::EndsWith(name, contract::kCheckpointTmpSuffix)) {
      continue;
    }
    const std::string path = absl::StrCat(folder_, "/", name);
    struct stat inner {};
    if (lstat(path.c_str(), &inner) != 0 || !S_ISDIR(inner.st_mode)) continue;
    if (!seen_.insert(name).second) continue;
    if (!IsGoodName(name)) {
      LogWarning(absl::StrCat("ignoring the checkpoint ", path,
                              ": a name has up to 128 letters, digits and .-_=+"));
      continue;
    }
    found.push_back({Nanoseconds(inner.st_ctim), {name, path, StepOf(path), now_ms}});
  }
  closedir(folder);
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::tie(a.second.step, a.first, a.second.name) <
           std::tie(b.second.step, b.first, b.second.name);
  });
  std::vector<FoundCheckpoint> checkpoints;
  for (auto& [time, checkpoint] : found) checkpoints.push_back(std::move(checkpoint));
  return checkpoints;
}

}  // namespace baton::worker
