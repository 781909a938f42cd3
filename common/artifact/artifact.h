// The port to an artifact store: packages, checkpoints and outputs, content-addressed. A file is
// cut into chunks of 1 MiB (chunk.h), a chunk is named by the SHA-256 of its raw bytes and travels
// and lies compressed, and a manifest (manifest.h), put last, ties them together. What a digest
// names never changes, so every call may be repeated.
//
// Implementations are thread-safe, and pass tests/common/artifact/store_contract.h.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::artifact {

// Statuses common to all calls: InvalidArgument for a digest that is not 64 lower-case hexadecimal
// characters; Unavailable when the store cannot be reached, try again.
class Store {
 public:
  virtual ~Store() = default;

  // Those of `digests` that the store does not hold, in the order given, each once. What it does
  // hold stays for at least an hour from now, manifest or not.
  virtual absl::StatusOr<std::vector<std::string>> MissingChunks(
      const std::vector<std::string>& digests) = 0;

  // Stores a chunk (`compressed` as CompressChunk made it). Its bytes are on disk
  // when it returns, its name when a manifest has been put after it.
  // InvalidArgument: they are not the chunk that `digest` names, nothing is stored.
  // ResourceExhausted: the disk is nearly full, try again later.
  virtual absl::Status PutChunk(const std::string& digest, absl::string_view compressed) = 0;

  // The compressed bytes. NotFound; DataLoss when they are damaged (the chunk then counts as
  // missing, so that the next upload mends it). Whoever asks a remote store verifies again.
  virtual absl::StatusOr<std::string> GetChunk(const std::string& digest) = 0;

  // Stores a manifest and returns the SHA-256 of its bytes, its name. InvalidArgument when it is
  // none, FailedPrecondition when a chunk that it names is not in the store, ResourceExhausted.
  virtual absl::StatusOr<std::string> PutManifest(absl::string_view bytes) = 0;

  // NotFound; DataLoss when it is damaged.
  virtual absl::StatusOr<std::string> GetManifest(const std::string& digest) = 0;
};

}  // namespace baton::artifact
