#include "worker/checkpoint/watcher.h"

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/printable.h"

namespace baton::worker {
namespace {

constexpr size_t kNameBytesMax = 128;
constexpr int64_t kMetaBytesMax = 1 << 20;
constexpr uint64_t kStepMax = std::numeric_limits<int64_t>::max();
constexpr auto kReplaceBadUtf8 = nlohmann::json::error_handler_t::replace;
// A file system's clock ticks by up to 10 ms: a change within the same tick has the same time.
constexpr int64_t kTickNs = 50'000'000;

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

bool IsGoodName(const std::string& name) {
  if (name.size() > kNameBytesMax) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '=' || c == '+';
  });
}

// What is wrong with the step that the checkpoint names; it names none when there is no such file
// or no step in it, which is allowed.
std::string ReadStep(const std::string& folder, int64_t* step) {
  const std::string path = absl::StrCat(folder, "/", contract::kCheckpointMeta);
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return "";
  if (!S_ISREG(info.st_mode)) return "is no regular file";
  if (info.st_size > kMetaBytesMax) return "is larger than 1 MiB";
  const auto text = ReadFile(path);
  if (!text.ok()) return "can't be read";
  const auto meta = nlohmann::json::parse(*text, nullptr, false);
  if (!meta.is_object()) return "is no JSON object";
  const auto found = meta.find("step");
  if (found == meta.end() || found->is_null()) return "";
  const bool whole = found->is_number_integer() &&
                     (!found->is_number_unsigned() || found->get<uint64_t>() <= kStepMax);
  if (!whole || found->get<int64_t>() < 0) {
    return absl::StrCat("has a step that is no whole number from 0 on: ",
                        Printable(found->dump(-1, ' ', true, kReplaceBadUtf8), 40));
  }
  *step = found->get<int64_t>();
  return "";
}

FoundCheckpoint Judge(const std::string& name, const std::string& path, bool is_folder) {
  FoundCheckpoint found;
  found.name = name;
  found.folder = path;
  if (!is_folder) {
    found.problem = "is no folder, and only folders are kept: put it into one";
  } else if (absl::StartsWith(name, contract::kFilesCheckpoint)) {
    found.problem = absl::StrCat("has a name that begins with ", contract::kFilesCheckpoint,
                                 ", which are the worker's own: rename it");
  } else if (!IsGoodName(name)) {
    found.problem = "has a name that can't be kept: up to 128 letters, digits and .-_=+";
  }
  found.refused = !found.problem.empty();
  if (found.refused) return found;
  const std::string wrong = ReadStep(path, &found.step);
  if (!wrong.empty()) {
    found.problem =
        absl::StrCat("counts as of an unknown step: its ", contract::kCheckpointMeta, " ", wrong);
  }
  return found;
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
    // A hidden name is another way to say that it is not whole yet.
    if (name[0] == '.' || absl::EndsWith(name, contract::kCheckpointTmpSuffix)) continue;
    const std::string path = absl::StrCat(folder_, "/", name);
    struct stat inner {};
    if (lstat(path.c_str(), &inner) != 0) continue;
    if (!seen_.insert(name).second) continue;
    FoundCheckpoint checkpoint = Judge(name, path, S_ISDIR(inner.st_mode));
    checkpoint.taken_ms = now_ms;
    found.push_back({Nanoseconds(inner.st_ctim), std::move(checkpoint)});
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
