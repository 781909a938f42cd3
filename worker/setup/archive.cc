#include "worker/setup/archive.h"

#include <sys/stat.h>

#include <cerrno>
#include <deque>
#include <future>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/artifact/chunk.h"
#include "common/artifact/manifest.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "common/printable.h"
#include "common/status.h"
#include "worker/setup/child.h"

namespace baton::worker {
namespace {

constexpr char kFile[] = "environment.tar";
// Chunks under way at once: compressing, or waiting for the line.
constexpr size_t kAtOnce = 8;
constexpr size_t kWordsMax = 2'000;
// tar's code for "a file changed as we read it", and others that a second try mends.
constexpr int kTarDiffers = 1;

const std::vector<std::string>& TarEnvironment() {
  static const std::vector<std::string> variables = {"PATH=/usr/local/bin:/usr/bin:/bin",
                                                     "LC_ALL=C"};
  return variables;
}

// Sends the chunks of a stream in its order, some at a time.
class ChunkSender {
 public:
  explicit ChunkSender(artifact::Store& store) : store_(store) {}

  // False once something failed.
  bool Add(absl::string_view bytes) {
    while (!bytes.empty() && status_.ok()) {
      const size_t part = std::min(bytes.size(), artifact::kChunkBytes - pending_.size());
      pending_.append(bytes.data(), part);
      bytes.remove_prefix(part);
      if (pending_.size() == artifact::kChunkBytes) Send();
    }
    return status_.ok();
  }

  absl::StatusOr<StoredArchive> Finish() {
    if (!pending_.empty()) Send();
    while (!under_way_.empty()) TakeOne();
    BATON_RETURN_IF_ERROR(status_);
    artifact::Manifest manifest;
    manifest.files.push_back({kFile, 0600, stored_.bytes, digests_});
    BATON_ASSIGN_OR_RETURN(stored_.manifest,
                           store_.PutManifest(artifact::SerializeManifest(manifest)));
    return stored_;
  }

  const absl::Status& status() const { return status_; }

 private:
  struct Sent {
    std::string digest;
    absl::Status status;
    int64_t bytes = 0;
  };

  static Sent SendOne(artifact::Store& store, const std::string& raw) {
    Sent sent;
    sent.digest = Sha256Hex(raw);
    const auto missing = store.MissingChunks({sent.digest});
    sent.status = missing.status();
    if (!missing.ok() || missing->empty()) return sent;
    const std::string compressed = artifact::CompressChunk(raw);
    sent.bytes = static_cast<int64_t>(compressed.size());
    sent.status = store.PutChunk(sent.digest, compressed);
    return sent;
  }

  void Send() {
    if (under_way_.size() >= kAtOnce) TakeOne();
    stored_.bytes += static_cast<int64_t>(pending_.size());
    under_way_.push_back(std::async(std::launch::async, [this, raw = std::exchange(pending_, "")] {
      return SendOne(store_, raw);
    }));
  }

  void TakeOne() {
    Sent sent = under_way_.front().get();
    under_way_.pop_front();
    if (status_.ok()) status_ = sent.status;
    stored_.bytes_sent += sent.bytes;
    digests_.push_back(std::move(sent.digest));
  }

  artifact::Store& store_;
  std::string pending_;
  std::deque<std::future<Sent>> under_way_;
  std::vector<std::string> digests_;
  StoredArchive stored_;
  absl::Status status_;
};

// Fetches the chunks of a file in its order, some ahead.
class ChunkReader {
 public:
  ChunkReader(artifact::Store& store, artifact::ManifestFile file)
      : store_(store), file_(std::move(file)) {}

  // False at the end, or once something failed.
  bool Next(std::string* piece) {
    while (next_ < file_.chunks.size() && under_way_.size() < kAtOnce) {
      under_way_.push_back(std::async(std::launch::async, [this, digest = file_.chunks[next_++]]() {
        return Fetch(store_, digest);
      }));
    }
    if (under_way_.empty() || !status_.ok()) return false;
    auto raw = under_way_.front().get();
    under_way_.pop_front();
    status_ = raw.status();
    if (raw.ok()) *piece = *std::move(raw);
    return status_.ok();
  }

  const absl::Status& status() const { return status_; }

 private:
  static absl::StatusOr<std::string> Fetch(artifact::Store& store, const std::string& digest) {
    BATON_ASSIGN_OR_RETURN(const std::string compressed, store.GetChunk(digest));
    return artifact::OpenChunk(digest, compressed);
  }

  artifact::Store& store_;
  const artifact::ManifestFile file_;
  size_t next_ = 0;
  std::deque<std::future<absl::StatusOr<std::string>>> under_way_;
  absl::Status status_;
};

absl::Status TarFailed(const std::string& words) {
  const std::string text = absl::StrCat("tar: ", Printable(words, 500));
  if (absl::StrContains(words, "No space left")) return ErrnoStatus(ENOSPC, text);
  return absl::InternalError(text);
}

}  // namespace

absl::StatusOr<StoredArchive> StoreArchive(const std::string& folder, artifact::Store& store,
                                           const std::function<bool()>& cancelled) {
  ChunkSender sender(store);
  ChildRequest request;
  // What tar says of trouble would stand in the archive: the code alone tells.
  request.argv = {"/bin/sh",
                  "-c",
                  "exec tar \"$@\" 2>/dev/null",
                  "tar",
                  "--create",
                  "--sort=name",
                  "--numeric-owner",
                  "--format=gnu",
                  "--directory",
                  folder,
                  "."};
  request.environment = TarEnvironment();
  request.folder = "/";
  request.cancelled = [&] { return !sender.status().ok() || (cancelled && cancelled()); };
  request.output = [&](absl::string_view bytes) { (void)sender.Add(bytes); };
  const auto code = RunToEnd(request);
  if (!sender.status().ok()) {
    (void)sender.Finish();
    return sender.status();
  }
  BATON_RETURN_IF_ERROR(code.status());
  if (*code == kTarDiffers) {
    (void)sender.Finish();
    return absl::AbortedError(absl::StrCat(folder, " changed while it was packed"));
  }
  if (*code != 0) return absl::InternalError(absl::StrCat("tar ended with code ", *code));
  return sender.Finish();
}

absl::Status RestoreArchive(const std::string& manifest, artifact::Store& store,
                            const std::string& folder, const std::function<bool()>& cancelled) {
  BATON_ASSIGN_OR_RETURN(const std::string bytes, store.GetManifest(manifest));
  if (Sha256Hex(bytes) != manifest) {
    return absl::DataLossError(absl::StrCat("manifest ", manifest, " came with other bytes"));
  }
  BATON_ASSIGN_OR_RETURN(artifact::Manifest parsed, artifact::ParseManifest(bytes));
  if (parsed.files.size() != 1 || parsed.files[0].path != kFile) {
    return absl::DataLossError(absl::StrCat("manifest ", manifest, " is no environment's"));
  }
  if (mkdir(folder.c_str(), 0700) != 0) {
    return ErrnoStatus(errno, absl::StrCat("making the folder ", folder));
  }
  ChunkReader reader(store, std::move(parsed.files[0]));
  std::string words;
  ChildRequest request;
  request.argv = {"tar",         "--extract", "--preserve-permissions", "--no-same-owner",
                  "--directory", folder};
  request.environment = TarEnvironment();
  request.folder = "/";
  request.cancelled = cancelled;
  request.input = [&](std::string* piece) { return reader.Next(piece); };
  request.output = [&](absl::string_view text) {
    if (words.size() < kWordsMax) words.append(text.data(), text.size());
  };
  const auto code = RunToEnd(request);
  BATON_RETURN_IF_ERROR(reader.status());
  BATON_RETURN_IF_ERROR(code.status());
  return *code == 0 ? absl::OkStatus() : TarFailed(words);
}

}  // namespace baton::worker
