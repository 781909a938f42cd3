#include "common/artifact/local_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/artifact/chunk.h"
#include "common/artifact/file.h"
#include "common/artifact/manifest.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/status.h"

namespace baton::artifact {
namespace {

namespace fs = std::filesystem;

absl::Status CheckDigest(const std::string& digest) {
  if (IsDigest(digest)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", digest.substr(0, 80), "' is no SHA-256"));
}

absl::Status MakeFolder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("create ", folder));
  return absl::OkStatus();
}

timespec ToTimespec(int64_t unix_ms) {
  return {static_cast<time_t>(unix_ms / 1000), static_cast<long>(unix_ms % 1000 * 1'000'000)};
}

}  // namespace

struct LocalDir::State {
  State(std::string root_in, const LocalDirOptions& options_in, const Clock& clock_in)
      : root(std::move(root_in)), options(options_in), clock(clock_in) {}

  const std::string root;
  const LocalDirOptions options;
  const Clock& clock;
  std::atomic<uint64_t> next_tmp{0};

  // Held while a file's age is read and acted upon, so that what MissingChunks promised to keep is
  // not deleted in the same moment.
  std::mutex mutex;
  std::set<std::string> unsynced;  // folders with new names; guarded by mutex

  std::string ChunkFolder(const std::string& digest) const {
    return absl::StrCat(root, "/chunks/", digest.substr(0, 2));
  }
  std::string ChunkPath(const std::string& digest) const {
    return absl::StrCat(ChunkFolder(digest), "/", digest);
  }
  std::string ManifestPath(const std::string& digest) const {
    return absl::StrCat(root, "/manifests/", digest);
  }

  absl::Status MakeFolders() const;
  // Somebody may remove them while we run: what they held is lost, what comes now is not.
  absl::Status MendFolders();
  // ResourceExhausted when `bytes` more would leave too little.
  absl::Status CheckSpace(size_t bytes) const;
  // False when there is no such file. Makes it young.
  bool Touch(const std::string& path) const;
  absl::StatusOr<int64_t> AgeMs(const std::string& path) const;
  // Written whole, synced and young, under its name or not at all.
  absl::Status Write(const std::string& path, absl::string_view bytes);
  absl::Status TryWrite(const std::string& path, absl::string_view bytes);
  // Makes the folder of `path` where it is missing: one for each first byte of a digest, so that
  // none grows large.
  absl::Status Rename(const std::string& tmp, const std::string& path);
  absl::Status SyncNewNames();
  void SetAside(const std::string& path, const std::string& digest) const;
  absl::StatusOr<std::string> ReadManifest(const std::string& digest);
  absl::Status CollectManifests(const std::set<std::string>& live, int64_t age_ms_min,
                                std::set<std::string>* live_chunks, Collected* collected);
  absl::Status CollectChunks(const std::set<std::string>& live, int64_t age_ms_min,
                             Collected* collected);
  absl::Status RemoveIfOld(const std::string& path, int64_t age_ms_min, int64_t* count,
                           int64_t* bytes);
};

absl::Status LocalDir::State::MakeFolders() const {
  for (const char* sub : {"", "/chunks", "/manifests", "/tmp", "/damaged"}) {
    BATON_RETURN_IF_ERROR(MakeFolder(root + sub));
  }
  return SyncFolder(root);
}

absl::Status LocalDir::State::MendFolders() {
  if (::access((root + "/tmp").c_str(), F_OK) == 0 &&
      ::access((root + "/manifests").c_str(), F_OK) == 0) {
    return absl::OkStatus();
  }
  std::lock_guard<std::mutex> lock(mutex);
  LogError(absl::StrCat("the artifact store ", root,
                        " was removed while it was in use; it is made anew, and what was in it is "
                        "lost: packages, checkpoints and outputs"));
  unsynced.clear();
  return MakeFolders();
}

absl::Status LocalDir::State::CheckSpace(size_t bytes) const {
  struct statvfs disk;
  if (::statvfs(root.c_str(), &disk) != 0)
    return ErrnoStatus(errno, absl::StrCat("look at ", root));
  if (disk.f_blocks == 0) return absl::OkStatus();
  const double free_bytes = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
  const double all_bytes = static_cast<double>(disk.f_blocks) * static_cast<double>(disk.f_frsize);
  const double free_percent = 100.0 * (free_bytes - static_cast<double>(bytes)) / all_bytes;
  if (free_percent >= options.free_percent_min) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "the disk of ", root, " has ", static_cast<int>(100.0 * free_bytes / all_bytes), " % free, ",
      options.free_percent_min, " % are kept; free some space, then the upload goes on"));
}

bool LocalDir::State::Touch(const std::string& path) const {
  const timespec now = ToTimespec(clock.UnixMillis());
  const timespec times[2] = {now, now};
  return ::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0;
}

absl::StatusOr<int64_t> LocalDir::State::AgeMs(const std::string& path) const {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("look at ", path));
  const int64_t changed_ms =
      static_cast<int64_t>(info.st_mtim.tv_sec) * 1000 + info.st_mtim.tv_nsec / 1'000'000;
  return clock.UnixMillis() - changed_ms;
}

// Whoever asks did nothing wrong, so that none of its own errors may be read out of it.
absl::Status LocalDir::State::Write(const std::string& path, absl::string_view bytes) {
  const absl::Status status = TryWrite(path, bytes);
  if (status.ok() || absl::IsResourceExhausted(status)) return status;
  return absl::InternalError(
      absl::StrCat("the artifact store can't be written: ", status.message()));
}

absl::Status LocalDir::State::TryWrite(const std::string& path, absl::string_view bytes) {
  BATON_RETURN_IF_ERROR(MendFolders());
  BATON_RETURN_IF_ERROR(CheckSpace(bytes.size()));
  const std::string tmp = absl::StrCat(root, "/tmp/", next_tmp++);
  File file(::open(tmp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.is_open()) return ErrnoStatus(errno, absl::StrCat("create ", tmp));
  absl::Status status = WriteAt(file, 0, bytes, tmp);
  if (status.ok()) status = SyncData(file, tmp);
  if (status.ok() && !Touch(tmp)) status = ErrnoStatus(errno, absl::StrCat("touch ", tmp));
  if (status.ok()) status = Rename(tmp, path);
  if (!status.ok()) ::unlink(tmp.c_str());
  return status;
}

absl::Status LocalDir::State::Rename(const std::string& tmp, const std::string& path) {
  if (::rename(tmp.c_str(), path.c_str()) == 0) return absl::OkStatus();
  if (errno != ENOENT) return ErrnoStatus(errno, absl::StrCat("rename ", tmp));
  BATON_RETURN_IF_ERROR(MakeFolder(fs::path(path).parent_path().string()));
  if (::rename(tmp.c_str(), path.c_str()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("rename ", tmp));
  }
  std::lock_guard<std::mutex> lock(mutex);
  unsynced.insert(root + "/chunks");
  return absl::OkStatus();
}

absl::Status LocalDir::State::SyncNewNames() {
  std::set<std::string> folders;
  {
    std::lock_guard<std::mutex> lock(mutex);
    folders.swap(unsynced);
  }
  for (const std::string& folder : folders) {
    const absl::Status status = SyncFolder(folder);
    // Removed meanwhile, and its names with it: MissingChunks has just told what is there.
    if (status.ok() || absl::IsNotFound(status)) continue;
    std::lock_guard<std::mutex> lock(mutex);
    unsynced.insert(folders.begin(), folders.end());
    return status;
  }
  return absl::OkStatus();
}

void LocalDir::State::SetAside(const std::string& path, const std::string& digest) const {
  // Kept for whoever looks into the disk; a failure leaves it where it is, to be found again.
  ::rename(path.c_str(), absl::StrCat(root, "/damaged/", digest).c_str());
}

absl::StatusOr<std::string> LocalDir::State::ReadManifest(const std::string& digest) {
  const std::string path = ManifestPath(digest);
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (absl::IsNotFound(bytes.status())) {
    return absl::NotFoundError(absl::StrCat("no manifest ", digest, " in ", root));
  }
  if (!bytes.ok()) return bytes.status();
  if (Sha256Hex(*bytes) == digest) return bytes;
  SetAside(path, digest);
  return absl::DataLossError(
      absl::StrCat("manifest ", digest, " in ", root, " is damaged; use an older one"));
}

LocalDir::LocalDir(std::unique_ptr<State> state) : state_(std::move(state)) {}
LocalDir::~LocalDir() = default;

absl::StatusOr<std::unique_ptr<LocalDir>> LocalDir::Open(const std::string& folder,
                                                         const LocalDirOptions& options,
                                                         const Clock& clock) {
  auto state = std::make_unique<State>(folder, options, clock);
  BATON_RETURN_IF_ERROR(state->MakeFolders());
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder + "/tmp", error)) {
    ::unlink(entry.path().c_str());
  }
  return std::unique_ptr<LocalDir>(new LocalDir(std::move(state)));
}

absl::StatusOr<std::vector<std::string>> LocalDir::MissingChunks(
    const std::vector<std::string>& digests) {
  std::vector<std::string> missing;
  std::set<std::string> seen;
  for (const std::string& digest : digests) {
    BATON_RETURN_IF_ERROR(CheckDigest(digest));
    if (!seen.insert(digest).second) continue;
    std::lock_guard<std::mutex> lock(state_->mutex);
    if (!state_->Touch(state_->ChunkPath(digest))) missing.push_back(digest);
  }
  return missing;
}

absl::Status LocalDir::PutChunk(const std::string& digest, absl::string_view compressed) {
  BATON_RETURN_IF_ERROR(CheckDigest(digest));
  if (compressed.size() > kCompressedChunkBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("chunk ", digest, " has ", compressed.size(),
                                                   " compressed bytes, at most ",
                                                   kCompressedChunkBytesMax));
  }
  const absl::StatusOr<std::string> raw = OpenChunk(digest, compressed);
  if (!raw.ok()) return absl::InvalidArgumentError(raw.status().message());
  BATON_RETURN_IF_ERROR(state_->Write(state_->ChunkPath(digest), compressed));
  std::lock_guard<std::mutex> lock(state_->mutex);
  state_->unsynced.insert(state_->ChunkFolder(digest));
  return absl::OkStatus();
}

absl::StatusOr<std::string> LocalDir::GetChunk(const std::string& digest) {
  BATON_RETURN_IF_ERROR(CheckDigest(digest));
  const std::string path = state_->ChunkPath(digest);
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (absl::IsNotFound(bytes.status())) {
    return absl::NotFoundError(absl::StrCat("no chunk ", digest, " in ", state_->root));
  }
  if (!bytes.ok()) return bytes.status();
  const absl::StatusOr<std::string> raw = OpenChunk(digest, *bytes);
  if (raw.ok()) return bytes;
  state_->SetAside(path, digest);
  return raw.status();
}

absl::StatusOr<std::string> LocalDir::PutManifest(absl::string_view bytes) {
  BATON_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(bytes));
  for (const ManifestFile& file : manifest.files) {
    BATON_ASSIGN_OR_RETURN(const std::vector<std::string> missing, MissingChunks(file.chunks));
    if (missing.empty()) continue;
    return absl::FailedPreconditionError(absl::StrCat("chunk ", missing.front(), " of '", file.path,
                                                      "' is not in the store; upload it first"));
  }
  BATON_RETURN_IF_ERROR(state_->SyncNewNames());
  const std::string digest = Sha256Hex(bytes);
  BATON_RETURN_IF_ERROR(state_->Write(state_->ManifestPath(digest), bytes));
  BATON_RETURN_IF_ERROR(SyncFolder(state_->root + "/manifests"));
  return digest;
}

absl::StatusOr<std::string> LocalDir::GetManifest(const std::string& digest) {
  BATON_RETURN_IF_ERROR(CheckDigest(digest));
  return state_->ReadManifest(digest);
}

absl::Status LocalDir::State::RemoveIfOld(const std::string& path, int64_t age_ms_min,
                                          int64_t* count, int64_t* bytes) {
  std::lock_guard<std::mutex> lock(mutex);
  const absl::StatusOr<int64_t> age_ms = AgeMs(path);
  if (absl::IsNotFound(age_ms.status())) return absl::OkStatus();
  if (!age_ms.ok()) return age_ms.status();
  if (*age_ms <= age_ms_min) return absl::OkStatus();
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  if (::unlink(path.c_str()) != 0) return ErrnoStatus(errno, absl::StrCat("delete ", path));
  ++*count;
  if (!error) *bytes += static_cast<int64_t>(size);
  return absl::OkStatus();
}

absl::Status LocalDir::State::CollectManifests(const std::set<std::string>& live,
                                               int64_t age_ms_min,
                                               std::set<std::string>* live_chunks,
                                               Collected* collected) {
  std::error_code error;
  std::vector<std::string> kept;
  for (const auto& entry : fs::directory_iterator(root + "/manifests", error)) {
    const std::string digest = entry.path().filename().string();
    if (live.count(digest) > 0) continue;
    BATON_RETURN_IF_ERROR(
        RemoveIfOld(entry.path().string(), age_ms_min, &collected->manifests, &collected->bytes));
    if (fs::exists(entry.path(), error)) kept.push_back(digest);
  }
  // A young manifest may become live yet.
  for (const std::string& digest : kept) {
    const absl::StatusOr<std::string> bytes = ReadManifest(digest);
    if (!bytes.ok()) continue;
    const absl::StatusOr<Manifest> manifest = ParseManifest(*bytes);
    if (!manifest.ok()) continue;
    for (const ManifestFile& file : manifest->files) {
      live_chunks->insert(file.chunks.begin(), file.chunks.end());
    }
  }
  return absl::OkStatus();
}

absl::Status LocalDir::State::CollectChunks(const std::set<std::string>& live, int64_t age_ms_min,
                                            Collected* collected) {
  std::error_code error;
  for (const auto& folder : fs::directory_iterator(root + "/chunks", error)) {
    for (const auto& entry : fs::directory_iterator(folder.path(), error)) {
      if (live.count(entry.path().filename().string()) > 0) continue;
      BATON_RETURN_IF_ERROR(
          RemoveIfOld(entry.path().string(), age_ms_min, &collected->chunks, &collected->bytes));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Collected> LocalDir::Collect(const Live& live, int64_t age_ms_min) {
  std::set<std::string> chunks = live.chunks;
  for (const std::string& digest : live.manifests) {
    BATON_RETURN_IF_ERROR(CheckDigest(digest));
    const absl::StatusOr<std::string> bytes = state_->ReadManifest(digest);
    const absl::StatusOr<Manifest> manifest = bytes.ok() ? ParseManifest(*bytes) : bytes.status();
    if (!manifest.ok()) {
      return absl::DataLossError(absl::StrCat("nothing is collected: ", manifest.status().message(),
                                              ", and it is in use"));
    }
    for (const ManifestFile& file : manifest->files) {
      chunks.insert(file.chunks.begin(), file.chunks.end());
    }
  }
  Collected collected;
  const std::set<std::string> manifests(live.manifests.begin(), live.manifests.end());
  BATON_RETURN_IF_ERROR(state_->CollectManifests(manifests, age_ms_min, &chunks, &collected));
  BATON_RETURN_IF_ERROR(state_->CollectChunks(chunks, age_ms_min, &collected));
  return collected;
}

}  // namespace baton::artifact
