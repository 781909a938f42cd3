#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/artifact/chunk.h"
#include "common/artifact/file.h"
#include "common/artifact/manifest.h"
#include "common/artifact/parallel.h"
#include "common/artifact/transfer.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "common/printable.h"
#include "common/status.h"

namespace baton::artifact {
namespace {

// Digests in one question: a few hundred KiB on the wire.
constexpr size_t kDigestsPerCall = 4096;

void LeaveOut(const std::string& path, absl::string_view why, std::vector<std::string>* left_out) {
  left_out->push_back(absl::StrCat("'", Printable(path), "' ", why));
}

using Opener = std::function<absl::StatusOr<File>(const SourceFile& source)>;

absl::StatusOr<File> OpenByPath(const SourceFile& source) {
  File file(::open(source.from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) return ErrnoStatus(errno, absl::StrCat("open ", source.from));
  return file;
}

absl::Status Changed(const std::string& from) {
  return absl::AbortedError(
      absl::StrCat(from, " changed while it was uploaded; try again when it is at rest"));
}

// Where a chunk's bytes lie.
struct ChunkPlace {
  size_t file = 0;
  int64_t offset = 0;
  int64_t size = 0;
};

class Uploader {
 public:
  Uploader(std::vector<SourceFile> sources, Opener opener, Store& store,
           const TransferOptions& options)
      : sources_(std::move(sources)),
        opener_(std::move(opener)),
        store_(store),
        options_(options) {}

  absl::StatusOr<Uploaded> Run() {
    std::sort(sources_.begin(), sources_.end(),
              [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
    for (size_t i = 0; i < sources_.size(); ++i) BATON_RETURN_IF_ERROR(Describe(i));
    BATON_RETURN_IF_ERROR(Validate(manifest_));
    const std::string bytes = SerializeManifest(manifest_);
    if (bytes.size() > kManifestBytesMax) {
      return absl::InvalidArgumentError(
          "the files need a manifest of more than 16 MiB (about 240 GiB of data); upload fewer");
    }
    BATON_RETURN_IF_ERROR(SendMissing());
    BATON_ASSIGN_OR_RETURN(std::string digest, store_.PutManifest(bytes));
    return Uploaded{std::move(digest), progress_};
  }

 private:
  absl::Status CheckCancelled() const {
    if (options_.cancelled && options_.cancelled()) {
      return absl::CancelledError("the upload was cancelled; what arrived is not sent again");
    }
    return absl::OkStatus();
  }

  // Reads one file through and notes the digests of its chunks.
  absl::Status Describe(size_t index) {
    const SourceFile& source = sources_[index];
    absl::StatusOr<File> opened = opener_(source);
    // One file that went away or may not be read is not worth the others.
    const bool is_gone =
        absl::IsNotFound(opened.status()) || absl::IsInvalidArgument(opened.status());
    if (options_.left_out != nullptr && (is_gone || absl::IsPermissionDenied(opened.status()))) {
      LeaveOut(source.path, is_gone ? "is gone" : "may not be read", options_.left_out);
      return absl::OkStatus();
    }
    BATON_ASSIGN_OR_RETURN(const File file, std::move(opened));
    struct stat info;
    if (::fstat(file.fd(), &info) != 0) {
      return ErrnoStatus(errno, absl::StrCat("look at ", source.from));
    }
    if (!S_ISREG(info.st_mode)) {
      return absl::InvalidArgumentError(absl::StrCat(source.from, " is no regular file"));
    }
    ManifestFile entry;
    entry.path = source.path;
    entry.mode = info.st_mode & 0777;
    entry.size = info.st_size;
    for (int64_t offset = 0; offset < entry.size; offset += kChunkBytes) {
      BATON_RETURN_IF_ERROR(CheckCancelled());
      const int64_t size = std::min<int64_t>(kChunkBytes, entry.size - offset);
      BATON_ASSIGN_OR_RETURN(const std::string raw,
                             ReadAt(file, offset, static_cast<size_t>(size), source.from));
      if (static_cast<int64_t>(raw.size()) != size) return Changed(source.from);
      std::string digest = Sha256Hex(raw);
      if (places_.emplace(digest, ChunkPlace{index, offset, size}).second) {
        order_.push_back(digest);
      }
      copies_bytes_[digest] += size;
      entry.chunks.push_back(std::move(digest));
    }
    progress_.bytes_total += entry.size;
    ++progress_.files;
    manifest_.files.push_back(std::move(entry));
    return absl::OkStatus();
  }

  absl::Status SendMissing() {
    progress_.chunks_total = static_cast<int64_t>(order_.size());
    std::vector<std::string> missing;
    for (size_t i = 0; i < order_.size(); i += kDigestsPerCall) {
      BATON_RETURN_IF_ERROR(CheckCancelled());
      const size_t end = std::min(order_.size(), i + kDigestsPerCall);
      const std::vector<std::string> asked(order_.begin() + static_cast<std::ptrdiff_t>(i),
                                           order_.begin() + static_cast<std::ptrdiff_t>(end));
      BATON_ASSIGN_OR_RETURN(const std::vector<std::string> some, store_.MissingChunks(asked));
      missing.insert(missing.end(), some.begin(), some.end());
    }
    progress_.bytes_done = progress_.bytes_total;
    for (const std::string& digest : missing) {
      const auto copies = copies_bytes_.find(digest);
      if (copies == copies_bytes_.end()) {
        return absl::InternalError(
            absl::StrCat("the store asks for chunk ", digest, ", which it was not told about"));
      }
      progress_.bytes_done -= copies->second;
    }
    Tell();
    return DoAll(
        missing.size(), [&](size_t i) { return Send(missing[i]); }, [this] { Tell(); });
  }

  absl::Status Send(const std::string& digest) {
    BATON_RETURN_IF_ERROR(CheckCancelled());
    const ChunkPlace& place = places_.at(digest);
    const SourceFile& source = sources_[place.file];
    BATON_ASSIGN_OR_RETURN(const File file, opener_(source));
    BATON_ASSIGN_OR_RETURN(
        const std::string raw,
        ReadAt(file, place.offset, static_cast<size_t>(place.size), source.from));
    if (Sha256Hex(raw) != digest) return Changed(source.from);
    const std::string compressed = CompressChunk(raw);
    BATON_RETURN_IF_ERROR(store_.PutChunk(digest, compressed));
    std::lock_guard<std::mutex> lock(mutex_);
    ++progress_.chunks_moved;
    progress_.bytes_moved += static_cast<int64_t>(compressed.size());
    progress_.bytes_done += copies_bytes_.at(digest);
    return absl::OkStatus();
  }

  void Tell() {
    if (!options_.progress) return;
    Progress progress;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      progress = progress_;
    }
    options_.progress(progress);
  }

  std::vector<SourceFile> sources_;
  const Opener opener_;
  Store& store_;
  const TransferOptions& options_;
  Manifest manifest_;
  std::mutex mutex_;
  Progress progress_;  // guarded by mutex_ while chunks are sent
  std::map<std::string, ChunkPlace> places_;
  std::map<std::string, int64_t> copies_bytes_;  // raw bytes of all places with that content
  std::vector<std::string> order_;               // distinct digests, as first met
};

// The message goes on from the file's name.
absl::Status CanBeUploaded(const std::string& path, mode_t mode) {
  if (!S_ISREG(mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("is ", S_ISLNK(mode) ? "a symbolic link" : "no regular file",
                     "; put the file itself there"));
  }
  if (ValidatePath(path).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "has a name that can't be stored (a control character, no UTF-8, or too long); rename it");
}

absl::Status ListInto(const File& folder, const std::string& root, const std::string& prefix,
                      std::vector<SourceFile>* files, std::vector<std::string>* left_out) {
  const std::string here = prefix.empty() ? root : absl::StrCat(root, "/", prefix);
  const int copy = ::fcntl(folder.fd(), F_DUPFD_CLOEXEC, 0);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(copy < 0 ? nullptr : ::fdopendir(copy),
                                                   &::closedir);
  if (stream == nullptr) return ErrnoStatus(errno, absl::StrCat("list ", here));
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::string path = prefix.empty() ? name : absl::StrCat(prefix, "/", name);
    const std::string from = absl::StrCat(root, "/", path);
    struct stat info;
    if (::fstatat(folder.fd(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT && left_out != nullptr) continue;
      return ErrnoStatus(errno, absl::StrCat("look at ", Printable(from)));
    }
    if (S_ISDIR(info.st_mode)) {
      const File inner(
          ::openat(folder.fd(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!inner.is_open() && errno == EACCES && left_out != nullptr) {
        LeaveOut(path, "may not be read", left_out);
        continue;
      }
      if (!inner.is_open()) return ErrnoStatus(errno, absl::StrCat("open ", Printable(from)));
      BATON_RETURN_IF_ERROR(ListInto(inner, root, path, files, left_out));
    } else {
      const absl::Status fit = CanBeUploaded(path, info.st_mode);
      if (fit.ok()) {
        files->push_back({path, from});
      } else if (left_out != nullptr) {
        LeaveOut(path, fit.message(), left_out);
      } else {
        return absl::InvalidArgumentError(absl::StrCat(Printable(from), " ", fit.message()));
      }
    }
    if (files->size() > kManifestFilesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(root, " holds more than ", kManifestFilesMax, " files; pack them"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<SourceFile>> ListFolder(const std::string& folder,
                                                   std::vector<std::string>* left_out) {
  const File top(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!top.is_open()) return ErrnoStatus(errno, absl::StrCat("open ", folder));
  std::vector<SourceFile> files;
  BATON_RETURN_IF_ERROR(ListInto(top, folder, "", &files, left_out));
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

absl::StatusOr<Uploaded> Upload(const std::vector<SourceFile>& files, Store& store,
                                const TransferOptions& options) {
  return Uploader(files, OpenByPath, store, options).Run();
}

absl::StatusOr<Uploaded> UploadFolder(const std::string& folder, Store& store,
                                      const TransferOptions& options) {
  BATON_ASSIGN_OR_RETURN(std::vector<SourceFile> files, ListFolder(folder, options.left_out));
  const Opener opener = [&folder](const SourceFile& source) {
    return OpenBeneath(folder, source.path);
  };
  return Uploader(std::move(files), opener, store, options).Run();
}

}  // namespace baton::artifact
