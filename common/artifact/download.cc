#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/artifact/chunk.h"
#include "common/artifact/file.h"
#include "common/artifact/manifest.h"
#include "common/artifact/parallel.h"
#include "common/artifact/transfer.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "common/status.h"

namespace baton::artifact {
namespace {

namespace fs = std::filesystem;

// Dirty bytes before a sync: more would stall the disk for others when the kernel writes them.
constexpr int64_t kBytesPerSync = 8 << 20;

class Downloader {
 public:
  Downloader(Store& store, Manifest manifest, std::string folder, const TransferOptions& options)
      : store_(store),
        manifest_(std::move(manifest)),
        folder_(std::move(folder)),
        tmp_(folder_ + ".tmp"),
        options_(options) {}

  absl::StatusOr<Progress> Run() {
    std::error_code error;
    if (fs::exists(fs::symlink_status(folder_, error))) {
      return absl::AlreadyExistsError(absl::StrCat(folder_, " is there already; remove it first"));
    }
    progress_.bytes_total = TotalBytes(manifest_);
    for (const ManifestFile& file : manifest_.files) {
      progress_.chunks_total += static_cast<int64_t>(file.chunks.size());
      NoteFolders(file.path);
    }
    BATON_RETURN_IF_ERROR(Prepare());
    BATON_RETURN_IF_ERROR(DoAll(
        manifest_.files.size(), [this](size_t i) { return Fetch(manifest_.files[i]); },
        [this] { Tell(); }));
    BATON_RETURN_IF_ERROR(Publish());
    if (options_.placed) options_.placed(Places());
    return progress_;
  }

 private:
  void NoteFolders(const std::string& path) {
    for (size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      folders_.insert(path.substr(0, slash));
    }
  }

  std::string TmpPath(const std::string& path) const { return absl::StrCat(tmp_, "/", path); }

  // Makes the folders, and removes from an earlier try what does not belong there.
  absl::Status Prepare() {
    std::set<std::string> files;
    for (const ManifestFile& file : manifest_.files) files.insert(file.path);
    std::error_code error;
    if (fs::exists(fs::symlink_status(tmp_, error)) &&
        !fs::is_directory(fs::symlink_status(tmp_))) {
      fs::remove(tmp_, error);
    }
    std::vector<fs::path> strangers;
    for (const auto& entry : fs::recursive_directory_iterator(tmp_, error)) {
      const std::string path = entry.path().string().substr(tmp_.size() + 1);
      const fs::file_status kind = entry.symlink_status(error);
      const bool ours = fs::is_directory(kind) ? folders_.count(path) > 0
                                               : fs::is_regular_file(kind) && files.count(path) > 0;
      if (!ours) strangers.push_back(entry.path());
    }
    for (const fs::path& stranger : strangers) fs::remove_all(stranger, error);
    fs::create_directories(tmp_, error);
    for (const std::string& folder : folders_) {
      if (!error) fs::create_directories(TmpPath(folder), error);
    }
    if (error) return ErrnoStatus(error.value(), absl::StrCat("create ", tmp_));
    return absl::OkStatus();
  }

  absl::StatusOr<File> OpenForWriting(const std::string& path) const {
    constexpr int kFlags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
    File file(::open(path.c_str(), kFlags, 0600));
    if (!file.is_open() && errno == EACCES) {
      // An earlier try has finished a read-only file.
      ::unlink(path.c_str());
      file = File(::open(path.c_str(), kFlags, 0600));
    }
    if (!file.is_open()) return ErrnoStatus(errno, absl::StrCat("create ", path));
    return file;
  }

  void Count(const std::function<void(Progress*)>& change) {
    std::lock_guard<std::mutex> lock(mutex_);
    change(&progress_);
  }

  void Tell() {
    if (!options_.progress) return;
    Progress progress;
    Count([&](Progress* now) { progress = *now; });
    options_.progress(progress);
  }

  // Of the file that a thread fetches.
  struct Fetching {
    // The chunk fetched last: files of zeros are many times the same one.
    std::string digest;
    std::string raw;
    int64_t unsynced_bytes = 0;
  };

  absl::Status Fetch(const ManifestFile& entry) {
    const std::string path = TmpPath(entry.path);
    BATON_ASSIGN_OR_RETURN(const File file, OpenForWriting(path));
    Fetching last;
    int64_t offset = 0;
    for (const std::string& digest : entry.chunks) {
      if (options_.cancelled && options_.cancelled()) {
        return absl::CancelledError("the download was cancelled; the next one takes it up");
      }
      const int64_t size = std::min<int64_t>(kChunkBytes, entry.size - offset);
      BATON_RETURN_IF_ERROR(FetchChunk(file, path, digest, offset, size, &last));
      offset += size;
      Count([size](Progress* progress) { progress->bytes_done += size; });
      if (std::this_thread::get_id() == caller_) Tell();  // a file may be large
    }
    if (::ftruncate(file.fd(), static_cast<off_t>(entry.size)) != 0 ||
        ::fchmod(file.fd(), entry.mode) != 0) {
      return ErrnoStatus(errno, absl::StrCat("finish ", path));
    }
    if (::fsync(file.fd()) != 0) return ErrnoStatus(errno, absl::StrCat("sync ", path));
    Count([](Progress* progress) { ++progress->files; });
    return absl::OkStatus();
  }

  absl::Status FetchChunk(const File& file, const std::string& path, const std::string& digest,
                          int64_t offset, int64_t size, Fetching* last) {
    BATON_ASSIGN_OR_RETURN(const std::string found,
                           ReadAt(file, offset, static_cast<size_t>(size), path));
    if (static_cast<int64_t>(found.size()) == size && Sha256Hex(found) == digest) {
      return absl::OkStatus();
    }
    if (digest != last->digest && !TakeLocal(digest, size, &last->raw)) {
      BATON_ASSIGN_OR_RETURN(const std::string compressed, store_.GetChunk(digest));
      BATON_ASSIGN_OR_RETURN(last->raw, OpenChunk(digest, compressed));
      Count([&](Progress* progress) {
        ++progress->chunks_moved;
        progress->bytes_moved += static_cast<int64_t>(compressed.size());
      });
    }
    last->digest = digest;
    if (static_cast<int64_t>(last->raw.size()) != size) {
      return absl::DataLossError(absl::StrCat("chunk ", digest, " of ", path, " has ",
                                              last->raw.size(), " bytes, not ", size));
    }
    BATON_RETURN_IF_ERROR(WriteAt(file, offset, last->raw, path));
    last->unsynced_bytes += size;
    if (last->unsynced_bytes < kBytesPerSync) return absl::OkStatus();
    last->unsynced_bytes = 0;
    return SyncData(file, path);
  }

  // True when the chunk was found on this machine, as it should be; it is then in `raw`.
  bool TakeLocal(const std::string& digest, int64_t size, std::string* raw) const {
    const auto place = options_.local ? options_.local(digest) : std::nullopt;
    if (!place.has_value() || place->bytes != size) return false;
    const File file(::open(place->file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file.is_open()) return false;
    auto found = ReadAt(file, place->offset, static_cast<size_t>(size), place->file);
    if (!found.ok() || Sha256Hex(*found) != digest) return false;
    *raw = *std::move(found);
    return true;
  }

  std::vector<ChunkPlace> Places() const {
    std::vector<ChunkPlace> places;
    for (const ManifestFile& file : manifest_.files) {
      int64_t offset = 0;
      for (const std::string& digest : file.chunks) {
        const int64_t size = std::min<int64_t>(kChunkBytes, file.size - offset);
        places.push_back({digest, absl::StrCat(folder_, "/", file.path), offset, size});
        offset += size;
      }
    }
    return places;
  }

  absl::Status Publish() const {
    for (const std::string& folder : folders_) BATON_RETURN_IF_ERROR(SyncFolder(TmpPath(folder)));
    BATON_RETURN_IF_ERROR(SyncFolder(tmp_));
    int result = ::renameat2(AT_FDCWD, tmp_.c_str(), AT_FDCWD, folder_.c_str(), RENAME_NOREPLACE);
    // Some file systems know no flags; a plain rename then still refuses a folder with content.
    if (result != 0 && errno == EINVAL) result = ::rename(tmp_.c_str(), folder_.c_str());
    if (result != 0 && (errno == EEXIST || errno == ENOTEMPTY)) {
      return absl::AlreadyExistsError(absl::StrCat(folder_, " appeared meanwhile"));
    }
    if (result != 0) return ErrnoStatus(errno, absl::StrCat("rename ", tmp_));
    return SyncFolder(fs::path(folder_).parent_path().string());
  }

  Store& store_;
  const Manifest manifest_;
  const std::string folder_;
  const std::string tmp_;
  const TransferOptions& options_;
  std::set<std::string> folders_;  // of all files, relative
  const std::thread::id caller_ = std::this_thread::get_id();
  std::mutex mutex_;
  Progress progress_;  // guarded by mutex_ while files are fetched
};

}  // namespace

absl::StatusOr<Progress> Download(Store& store, const std::string& manifest_digest,
                                  const std::string& folder, const TransferOptions& options) {
  BATON_ASSIGN_OR_RETURN(const std::string bytes, store.GetManifest(manifest_digest));
  if (Sha256Hex(bytes) != manifest_digest) {
    return absl::DataLossError(
        absl::StrCat("manifest ", manifest_digest, " came with other bytes than its name says"));
  }
  BATON_ASSIGN_OR_RETURN(Manifest manifest, ParseManifest(bytes));
  std::string target = folder;
  while (target.size() > 1 && target.back() == '/') target.pop_back();
  return Downloader(store, std::move(manifest), std::move(target), options).Run();
}

}  // namespace baton::artifact
