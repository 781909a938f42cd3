#include "worker/checkpoint/artifact_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/artifact/chunk.h"
#include "common/artifact/transfer.h"
#include "common/atomic_file.h"
#include "common/log.h"
#include "common/status.h"
#include "worker/checkpoint/chunk_index.h"
#include "worker/checkpoint/retry.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

constexpr char kStampSuffix[] = ".stamp";
constexpr char kDataSuffix[] = ".data";  // of data sets: what they are known as
constexpr int kDamagedTriesMax = 2;

// Path, size and time of change of every file: what a task would change by writing.
absl::StatusOr<std::string> StampOf(const std::string& folder, int64_t* bytes) {
  BATON_ASSIGN_OR_RETURN(const auto files, artifact::ListFolder(folder));
  std::string stamp;
  *bytes = 0;
  for (const artifact::SourceFile& file : files) {
    struct stat info {};
    if (stat(file.from.c_str(), &info) != 0) return ErrnoStatus(errno, file.from);
    *bytes += info.st_size;
    absl::StrAppend(&stamp, info.st_size, " ", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec, " ",
                    file.path, "\n");
  }
  return stamp;
}

// Data's folders are read-only, which keeps all but root from removing what is in them.
void RemoveAll(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(fs::symlink_status(path, ignored))) {
    fs::permissions(path, fs::perms::owner_all, fs::perm_options::add, ignored);
    std::error_code error;
    for (auto at = fs::recursive_directory_iterator(path, error);
         !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
      if (!at->is_directory(ignored) || at->is_symlink(ignored)) continue;
      fs::permissions(at->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
    }
  }
  fs::remove_all(path, ignored);
}

}  // namespace

struct ArtifactCache::State {
  struct Entry {
    int users = 0;
    bool busy = false;  // being fetched or checked
    int64_t bytes = 0;
    uint64_t used = 0;  // order of last use
    std::string data;   // what a data set is known as; empty: another artifact
  };

  CacheOptions options;
  artifact::Store& store;
  ChunkIndex chunks;
  std::mutex mutex;  // protects what follows
  std::condition_variable changed;
  std::map<std::string, Entry> entries;
  uint64_t uses = 0;

  State(const CacheOptions& o, artifact::Store& s) : options(o), store(s) {}

  std::string Folder(const std::string& digest) const {
    return absl::StrCat(options.folder, "/", digest);
  }

  // True when the folder is there as it was fetched.
  bool IsIntact(const std::string& digest, int64_t* bytes) const {
    const auto written = ReadFile(Folder(digest) + kStampSuffix);
    if (!written.ok()) return false;
    const auto found = StampOf(Folder(digest), bytes);
    return found.ok() && *found == *written;
  }

  absl::Status Fetch(const std::string& digest, const Fill& fill, int64_t* bytes) {
    if (IsIntact(digest, bytes)) return absl::OkStatus();
    chunks.Remove(Folder(digest));
    RemoveAll(Folder(digest));
    RemoveAll(Folder(digest) + kStampSuffix);
    BATON_RETURN_IF_ERROR(fill(Folder(digest)));
    BATON_ASSIGN_OR_RETURN(const std::string stamp, StampOf(Folder(digest), bytes));
    return WriteFileAtomically(Folder(digest) + kStampSuffix, stamp);
  }

  absl::Status FromStore(const std::string& digest, const std::string& folder,
                         const std::function<bool()>& cancelled) {
    artifact::TransferOptions transfer;
    transfer.cancelled = cancelled;
    transfer.local = [this](const std::string& chunk) { return chunks.Find(chunk); };
    transfer.placed = [this, &digest](const std::vector<artifact::ChunkPlace>& places) {
      chunks.Add(Folder(digest), places);
    };
    int damaged = 0;
    return RetryWhileAway(cancelled, [&] {
      absl::Status status = artifact::Download(store, digest, folder, transfer).status();
      // Once more: the bytes may have been damaged on the way.
      while (absl::IsDataLoss(status) && ++damaged < kDamagedTriesMax) {
        status = artifact::Download(store, digest, folder, transfer).status();
      }
      return status;
    });
  }

  // What was fetched in an earlier life counts as idle.
  void Recover() {
    std::error_code error;
    for (auto at = fs::directory_iterator(options.folder, error);
         !error && at != fs::directory_iterator(); at.increment(error)) {
      const std::string name = at->path().filename().string();
      int64_t bytes = 0;
      if (!artifact::IsDigest(name) || !IsIntact(name, &bytes)) continue;
      entries[name].bytes = bytes;
      entries[name].data = ReadFile(Folder(name) + kDataSuffix).value_or("");
    }
  }

  // Caller holds the mutex.
  void EvictIdle() {
    int64_t idle = 0;
    for (const auto& [digest, entry] : entries) idle += entry.users == 0 ? entry.bytes : 0;
    while (idle > options.idle_bytes_max) {
      auto oldest = entries.end();
      for (auto at = entries.begin(); at != entries.end(); ++at) {
        if (at->second.users > 0 || at->second.busy) continue;
        if (oldest == entries.end() || at->second.used < oldest->second.used) oldest = at;
      }
      if (oldest == entries.end()) return;
      idle -= oldest->second.bytes;
      chunks.Remove(Folder(oldest->first));
      RemoveAll(Folder(oldest->first) + kStampSuffix);
      RemoveAll(Folder(oldest->first) + kDataSuffix);
      RemoveAll(Folder(oldest->first));
      entries.erase(oldest);
    }
  }
};

ArtifactCache::ArtifactCache(const CacheOptions& options, artifact::Store& store)
    : state_(std::make_unique<State>(options, store)) {
  state_->Recover();
}

ArtifactCache::~ArtifactCache() = default;

absl::StatusOr<std::string> ArtifactCache::Acquire(const std::string& digest,
                                                   const std::function<bool()>& cancelled) {
  return AcquireFilled(
      digest,
      [&](const std::string& folder) { return state_->FromStore(digest, folder, cancelled); },
      cancelled);
}

absl::StatusOr<std::string> ArtifactCache::AcquireFilled(const std::string& digest,
                                                         const Fill& fill,
                                                         const std::function<bool()>& cancelled) {
  if (!artifact::IsDigest(digest)) {
    return absl::InvalidArgumentError(absl::StrCat("'", digest, "' is no manifest digest"));
  }
  {
    std::unique_lock<std::mutex> lock(state_->mutex);
    while (state_->entries[digest].busy) {
      if (cancelled()) return absl::CancelledError("given up");
      state_->changed.wait_for(lock, std::chrono::milliseconds(50));
    }
    State::Entry& entry = state_->entries[digest];
    if (entry.users > 0) {
      ++entry.users;
      return state_->Folder(digest);
    }
    entry.busy = true;
  }
  int64_t bytes = 0;
  const absl::Status fetched = state_->Fetch(digest, fill, &bytes);
  std::lock_guard<std::mutex> lock(state_->mutex);
  State::Entry& entry = state_->entries[digest];
  entry.busy = false;
  state_->changed.notify_all();
  if (!fetched.ok()) {
    state_->entries.erase(digest);
    return fetched;
  }
  entry.users = 1;
  entry.bytes = bytes;
  entry.used = ++state_->uses;
  return state_->Folder(digest);
}

int64_t ArtifactCache::BytesOf(const std::string& digest) const {
  std::lock_guard<std::mutex> lock(state_->mutex);
  const auto at = state_->entries.find(digest);
  return at == state_->entries.end() ? 0 : at->second.bytes;
}

void ArtifactCache::MarkData(const std::string& digest, const std::string& known_as) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    const auto at = state_->entries.find(digest);
    if (at == state_->entries.end() || at->second.data == known_as) return;
    at->second.data = known_as;
  }
  // Lost with a full disk, it is marked again by its next use.
  WriteFileAtomically(state_->Folder(digest) + kDataSuffix, known_as).IgnoreError();
}

std::vector<std::string> ArtifactCache::DataHeld(size_t limit) const {
  std::vector<std::pair<uint64_t, std::string>> held;
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    for (const auto& [digest, entry] : state_->entries) {
      if (!entry.data.empty() && !entry.busy) held.emplace_back(entry.used, entry.data);
    }
  }
  std::sort(held.rbegin(), held.rend());
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min(limit, held.size()); ++i) names.push_back(held[i].second);
  // The order of use is nobody's business, and would be news with each use.
  std::sort(names.begin(), names.end());
  return names;
}

void ArtifactCache::Release(const std::string& digest) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  const auto at = state_->entries.find(digest);
  if (at == state_->entries.end() || at->second.users == 0) return;
  --at->second.users;
  at->second.used = ++state_->uses;
  state_->EvictIdle();
}

}  // namespace baton::worker
