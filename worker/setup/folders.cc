#include "worker/setup/folders.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/atomic_file.h"
#include "common/log.h"

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

// Also of read-only folders, which installers make.
void RemoveAll(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) return;
  for (auto at = fs::recursive_directory_iterator(
           path, fs::directory_options::skip_permission_denied, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::error_code ignored;
    if (at->is_directory(ignored) && !at->is_symlink(ignored)) {
      fs::permissions(at->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
    }
  }
  fs::remove_all(path, error);
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
  struct Entry {
    int users = 0;
    bool busy = false;  // being made
    bool made = false;
    int64_t bytes = 0;
    uint64_t used = 0;  // order of last use
  };

  std::string root;
  int64_t idle_bytes_max = 0;
  mutable std::mutex mutex;  // protects what follows
  std::condition_variable changed;
  std::map<std::string, Entry> entries;  // by name
  uint64_t uses = 0;

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
    for (const std::string& name : broken) RemoveAll(Path(name));
    std::sort(found.begin(), found.end());
    for (const auto& [used, name] : found) {
      const auto text = ReadFile(absl::StrCat(Path(name), kSize));
      Entry& entry = entries[name];
      entry.made = true;
      entry.used = ++uses;
      if (!text.ok() || !absl::SimpleAtoi(absl::StripSuffix(*text, "\n"), &entry.bytes)) {
        entry.bytes = BytesOf(Path(name));
      }
    }
    EvictIdle();
  }

  void Remove(const std::string& name) const {
    // First what says that it is whole.
    (void)unlink(absl::StrCat(Path(name), kSize).c_str());
    (void)unlink(absl::StrCat(Path(name), kStored).c_str());
    RemoveAll(Path(name));
  }

  // Caller holds the mutex.
  void EvictIdle() {
    int64_t idle = 0;
    for (const auto& [name, entry] : entries) idle += entry.users == 0 ? entry.bytes : 0;
    while (idle > idle_bytes_max) {
      auto oldest = entries.end();
      for (auto at = entries.begin(); at != entries.end(); ++at) {
        if (at->second.users > 0 || at->second.busy) continue;
        if (oldest == entries.end() || at->second.used < oldest->second.used) oldest = at;
      }
      if (oldest == entries.end()) return;
      idle -= oldest->second.bytes;
      LogInfo(absl::StrCat("the environment ", oldest->first, " goes: ", oldest->second.bytes >> 20,
                           " MiB that nobody uses"));
      Remove(oldest->first);
      entries.erase(oldest);
    }
  }
};

EnvironmentFolders::EnvironmentFolders(std::string root, int64_t idle_bytes_max)
    : state_(std::make_unique<State>()) {
  state_->root = std::move(root);
  state_->idle_bytes_max = idle_bytes_max;
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
  bool told = false;
  std::unique_lock<std::mutex> lock(state_->mutex);
  while (state_->entries[name].busy) {
    if (!std::exchange(told, true) && waits) {
      lock.unlock();
      waits();
      lock.lock();
      continue;
    }
    if (cancelled && cancelled()) return absl::CancelledError("given up");
    state_->changed.wait_for(lock, std::chrono::milliseconds(50));
  }
  State::Entry& entry = state_->entries[name];
  HeldFolder held{state_->Path(name), entry.made};
  ++entry.users;
  entry.used = ++state_->uses;
  if (entry.made) {
    // Its time orders the folders for the next worker.
    (void)utimensat(AT_FDCWD, absl::StrCat(held.folder, kSize).c_str(), nullptr, 0);
    return held;
  }
  entry.busy = true;
  state_->Remove(name);
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
  std::lock_guard<std::mutex> lock(state_->mutex);
  State::Entry& entry = state_->entries[name];
  entry.busy = false;
  entry.made = true;
  entry.bytes = bytes;
  state_->changed.notify_all();
}

void EnvironmentFolders::Failed(const std::string& key) {
  const std::string name = key.substr(0, kNameLength);
  state_->Remove(name);
  std::lock_guard<std::mutex> lock(state_->mutex);
  state_->entries.erase(name);
  state_->changed.notify_all();
}

void EnvironmentFolders::Release(const std::string& key) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  const auto at = state_->entries.find(key.substr(0, kNameLength));
  if (at == state_->entries.end() || at->second.users == 0) return;
  --at->second.users;
  at->second.used = ++state_->uses;
  state_->EvictIdle();
}

bool EnvironmentFolders::IsStored(const std::string& key) const {
  return access(absl::StrCat(FolderOf(key), kStored).c_str(), F_OK) == 0;
}

void EnvironmentFolders::SetStored(const std::string& key) {
  const absl::Status written = WriteFileAtomically(absl::StrCat(FolderOf(key), kStored), "");
  if (!written.ok()) LogWarning(absl::StrCat("an environment's mark: ", written.message()));
}

}  // namespace baton::worker
