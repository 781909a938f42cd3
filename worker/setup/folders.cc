#include "worker/setup/folders.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/atomic_file.h"
#include "common/file_tree.h"
#include "common/log.h"
#include "common/status.h"
#include "worker/checkpoint/held_folders.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

constexpr size_t kNameLength = 32;
constexpr char kSize[] = ".size";
constexpr char kStored[] = ".stored";

// A key's beginning, or what was under way to it. The folder is one that an operator names, and may
// hold what is none of ours.
bool IsOurs(absl::string_view name) {
  (void)absl::ConsumeSuffix(&name, ".tmp");
  return name.size() == kNameLength && std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

int64_t BytesOf(const std::string& folder) {
  int64_t bytes = 0;
  std::error_code error;
  for (auto at = fs::recursive_directory_iterator(folder, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    struct stat info {};
    if (lstat(at->path().c_str(), &info) == 0) bytes += int64_t{info.st_blocks} * 512;
  }
  return bytes;
}

}  // namespace

struct EnvironmentFolders::State {
  const std::string root;
  std::vector<std::string> unstored;  // since Recover
  HeldFolders held;

  State(std::string r, int64_t idle_bytes_max)
      : root(std::move(r)),
        held({.idle_bytes_max = idle_bytes_max, .remove = [this](const auto& name, int64_t bytes) {
                LogInfo(absl::StrCat("the environment ", name, " goes: ", bytes >> 20,
                                     " MiB that nobody uses"));
                Remove(name);
              }}) {}

  std::string Path(const std::string& name) const { return absl::StrCat(root, "/", name); }

  void Recover() {
    std::error_code error;
    std::vector<std::pair<int64_t, std::string>> found;  // by time of last use
    std::vector<std::string> broken;
    for (auto at = fs::directory_iterator(root, error); !error && at != fs::directory_iterator();
         at.increment(error)) {
      const std::string name = at->path().filename().string();
      std::error_code ignored;
      if (!at->is_directory(ignored)) continue;
      struct stat info {};
      const bool whole =
          name.size() == kNameLength && stat(absl::StrCat(Path(name), kSize).c_str(), &info) == 0;
      if (whole) {
        found.emplace_back(info.st_mtim.tv_sec, name);
      } else if (IsOurs(name)) {
        broken.push_back(name);
      }
    }
    for (const std::string& name : broken) RemoveTree(Path(name));
    std::sort(found.begin(), found.end());
    for (const auto& [used, name] : found) {
      const auto text = ReadFile(absl::StrCat(Path(name), kSize));
      int64_t bytes = 0;
      if (!text.ok() || !absl::SimpleAtoi(absl::StripSuffix(*text, "\n"), &bytes)) {
        bytes = BytesOf(Path(name));
      }
      held.Add(name, bytes);
    }
    held.Trim();
    for (const auto& [used, name] : found) {
      const bool is_there = access(absl::StrCat(Path(name), kSize).c_str(), F_OK) == 0;
      const bool is_stored = access(absl::StrCat(Path(name), kStored).c_str(), F_OK) == 0;
      if (is_there && !is_stored) unstored.push_back(Path(name));
    }
  }

  void Remove(const std::string& name) const {
    // First what says that it is whole.
    (void)unlink(absl::StrCat(Path(name), kSize).c_str());
    (void)unlink(absl::StrCat(Path(name), kStored).c_str());
    RemoveTree(Path(name));
  }
};

EnvironmentFolders::EnvironmentFolders(std::string root, int64_t idle_bytes_max)
    : state_(std::make_unique<State>(std::move(root), idle_bytes_max)) {
  state_->Recover();
}

EnvironmentFolders::~EnvironmentFolders() = default;

std::string EnvironmentFolders::FolderOf(const std::string& key) const {
  return state_->Path(key.substr(0, kNameLength));
}

absl::StatusOr<HeldFolder> EnvironmentFolders::Take(const std::string& key,
                                                    const std::function<bool()>& cancelled,
                                                    const std::function<void()>& waits) {
  const std::string name = key.substr(0, kNameLength);
  HeldFolder held;
  held.folder = state_->Path(name);
  BATON_ASSIGN_OR_RETURN(held.is_made, state_->held.Take(name, cancelled, waits));
  if (held.is_made) {
    // Its time orders the folders for the next worker.
    (void)utimensat(AT_FDCWD, absl::StrCat(held.folder, kSize).c_str(), nullptr, 0);
  } else {
    state_->Remove(name);
  }
  return held;
}

void EnvironmentFolders::Made(const std::string& key) {
  const std::string name = key.substr(0, kNameLength);
  const int64_t bytes = BytesOf(state_->Path(name));
  // What says that it is whole is on the disk after it.
  const int folder = open(state_->Path(name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    (void)syncfs(folder);
    close(folder);
  }
  const absl::Status written =
      WriteFileAtomically(absl::StrCat(state_->Path(name), kSize), absl::StrCat(bytes, "\n"));
  if (!written.ok()) LogWarning(absl::StrCat("an environment's size: ", written.message()));
  state_->held.Made(name, bytes);
}

void EnvironmentFolders::Failed(const std::string& key) {
  const std::string name = key.substr(0, kNameLength);
  state_->Remove(name);
  state_->held.Failed(name);
}

void EnvironmentFolders::Release(const std::string& key) {
  state_->held.Release(key.substr(0, kNameLength));
}

void EnvironmentFolders::Damaged(const std::string& key) {
  state_->held.Damaged(key.substr(0, kNameLength));
}

bool EnvironmentFolders::IsStored(const std::string& key) const {
  return access(absl::StrCat(FolderOf(key), kStored).c_str(), F_OK) == 0;
}

std::vector<std::string> EnvironmentFolders::Unstored() const { return state_->unstored; }

void EnvironmentFolders::SetStored(const std::string& key) {
  const absl::Status written = WriteFileAtomically(absl::StrCat(FolderOf(key), kStored), "");
  if (!written.ok()) LogWarning(absl::StrCat("an environment's mark: ", written.message()));
}

}  // namespace baton::worker
