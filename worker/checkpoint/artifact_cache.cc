#include "worker/checkpoint/artifact_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/artifact/chunk.h"
#include "common/artifact/transfer.h"
#include "common/atomic_file.h"
#include "common/file_tree.h"
#include "common/log.h"
#include "common/status.h"
#include "worker/checkpoint/chunk_index.h"
#include "worker/checkpoint/held_folders.h"
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

}  // namespace

struct ArtifactCache::State {
  CacheOptions options;
  artifact::Store& store;
  ChunkIndex chunks;
  HeldFolders held;
  std::mutex mutex;
  std::map<std::string, std::string> data;  // what data sets are known as; guarded by mutex

  State(const CacheOptions& o, artifact::Store& s)
      : options(o),
        store(s),
        held({.idle_bytes_max = o.idle_bytes_max,
              .remove = [this](const std::string& digest, int64_t) { Remove(digest); },
              // A task may have written to it meanwhile.
              .is_checked_anew = true}) {}

  std::string Folder(const std::string& digest) const {
    return absl::StrCat(options.folder, "/", digest);
  }

  void Remove(const std::string& digest) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      data.erase(digest);
    }
    chunks.Remove(Folder(digest));
    RemoveTree(Folder(digest) + kStampSuffix);
    RemoveTree(Folder(digest) + kDataSuffix);
    RemoveTree(Folder(digest));
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
    Remove(digest);
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

  // What was fetched in an earlier life counts as idle. The time of a stamp is that of the last
  // use.
  void Recover() {
    std::error_code error;
    std::vector<std::tuple<fs::file_time_type, std::string, int64_t>> found;
    for (auto at = fs::directory_iterator(options.folder, error);
         !error && at != fs::directory_iterator(); at.increment(error)) {
      const std::string name = at->path().filename().string();
      int64_t bytes = 0;
      if (!artifact::IsDigest(name) || !IsIntact(name, &bytes)) continue;
      found.emplace_back(fs::last_write_time(Folder(name) + kStampSuffix, error), name, bytes);
      const std::string known_as = ReadFile(Folder(name) + kDataSuffix).value_or("");
      if (!known_as.empty()) data[name] = known_as;
    }
    std::sort(found.begin(), found.end());
    for (const auto& [used, name, bytes] : found) held.Add(name, bytes);
    held.Trim();
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
  BATON_ASSIGN_OR_RETURN(const bool is_there, state_->held.Take(digest, cancelled, nullptr));
  if (is_there) return state_->Folder(digest);
  int64_t bytes = 0;
  const absl::Status fetched = state_->Fetch(digest, fill, &bytes);
  if (!fetched.ok()) {
    state_->Remove(digest);  // half of it would lie there unseen
    state_->held.Failed(digest);
    return fetched;
  }
  std::error_code ignored;
  fs::last_write_time(state_->Folder(digest) + kStampSuffix, fs::file_time_type::clock::now(),
                      ignored);
  state_->held.Made(digest, bytes);
  return state_->Folder(digest);
}

int64_t ArtifactCache::BytesOf(const std::string& digest) const {
  return state_->held.BytesOf(digest);
}

void ArtifactCache::Release(const std::string& digest) { state_->held.Release(digest); }

void ArtifactCache::MarkData(const std::string& digest, const std::string& known_as) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    if (std::exchange(state_->data[digest], known_as) == known_as) return;
  }
  // Lost with a full disk, it is marked again by its next use.
  WriteFileAtomically(state_->Folder(digest) + kDataSuffix, known_as).IgnoreError();
}

std::vector<std::string> ArtifactCache::DataHeld(size_t limit) const {
  std::vector<std::string> names;
  const std::vector<std::string> whole = state_->held.Whole();
  std::lock_guard<std::mutex> lock(state_->mutex);
  for (const std::string& digest : whole) {
    const auto at = state_->data.find(digest);
    if (at != state_->data.end() && names.size() < limit) names.push_back(at->second);
  }
  // The order of use is nobody's business, and would be news with each use.
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace baton::worker
