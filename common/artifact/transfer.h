// Files to a store and back. Both directions can be cut off at any moment and repeated: what has
// arrived is not sent again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/artifact/artifact.h"

namespace baton::artifact {

struct Progress {
  int64_t files = 0;
  int64_t bytes_total = 0;   // raw bytes of all files
  int64_t bytes_done = 0;    // of these in place: sent, fetched or found there
  int64_t chunks_total = 0;  // an upload counts the same content once
  int64_t chunks_moved = 0;  // really sent or fetched
  int64_t bytes_moved = 0;   // their compressed bytes, what the line carried
};

// Where a chunk's raw bytes lie in a file.
struct ChunkPlace {
  std::string digest;
  std::string file;  // its path
  int64_t offset = 0;
  int64_t bytes = 0;
};

struct TransferOptions {
  // Asked between chunks, on any thread; true ends the transfer with Cancelled. May be empty.
  std::function<bool()> cancelled;
  // Told now and then, on the caller's thread. May be empty.
  std::function<void(const Progress&)> progress;
  // Download, on any thread: where a chunk lies on this machine already; a file that is gone or has
  // other bytes by now costs a look. May be empty, and give nothing.
  std::function<std::optional<ChunkPlace>(const std::string& digest)> local;
  // Download: told once the folder has appeared, of all that is in it. May be empty.
  std::function<void(const std::vector<ChunkPlace>&)> placed;
  // UploadFolder: as in ListFolder; also for files that go away or may not be read.
  std::vector<std::string>* left_out = nullptr;
};

// A file to upload: `path` is its name in the manifest.
struct SourceFile {
  std::string path;
  std::string from;  // where it lies here
};

struct Uploaded {
  std::string manifest;  // digest
  Progress progress;
};

// All regular files below `folder`, by path. A symbolic link or a special file (whoever uploads may
// be allowed to read more than who made the folder), and a name that no manifest can hold, is an
// InvalidArgument. Where `left_out` is given, these, and what may not be read, are left out
// instead, and named there with the reason, in printable form.
absl::StatusOr<std::vector<SourceFile>> ListFolder(const std::string& folder,
                                                   std::vector<std::string>* left_out = nullptr);

// Sends the chunks that `store` lacks, then the manifest. Permission bits are kept, owners and
// times are not. Aborted when a file changes meanwhile.
absl::StatusOr<Uploaded> Upload(const std::vector<SourceFile>& files, Store& store,
                                const TransferOptions& options = {});

// ListFolder and Upload.
absl::StatusOr<Uploaded> UploadFolder(const std::string& folder, Store& store,
                                      const TransferOptions& options = {});

// Fetches into `folder`.tmp, verifies every chunk, syncs, and renames to `folder`, which appears
// whole or not at all; a `folder`.tmp of an earlier try is taken up again. AlreadyExists when
// `folder` is there; NotFound and DataLoss as the store says.
absl::StatusOr<Progress> Download(Store& store, const std::string& manifest_digest,
                                  const std::string& folder, const TransferOptions& options = {});

}  // namespace baton::artifact
