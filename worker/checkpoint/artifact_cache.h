// Packages, data and checkpoints fetched from the artifact store, once per node: a folder per
// manifest, named by its digest. What is handed out must not be written to; what a task changed
// nevertheless is noticed before the next use and fetched again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/artifact/artifact.h"

namespace baton::worker {

struct CacheOptions {
  std::string folder;  // exists
  // Of what no task uses; the longest unused goes first.
  int64_t idle_bytes_max = int64_t{10} << 30;
};

// Thread-safe; calls may take long.
class ArtifactCache {
 public:
  // `store` outlives the cache.
  ArtifactCache(const CacheOptions& options, artifact::Store& store);
  ~ArtifactCache();
  ArtifactCache(const ArtifactCache&) = delete;
  ArtifactCache& operator=(const ArtifactCache&) = delete;

  // The folder of the manifest `digest`, whole and verified, until Release. Waits and tries again
  // while the store can't be reached, until `cancelled`. Cancelled; NotFound and DataLoss when the
  // store does not have it whole; ResourceExhausted when the disk is full.
  absl::StatusOr<std::string> Acquire(const std::string& digest,
                                      const std::function<bool()>& cancelled);
  // Likewise for what `fill` puts into the folder, which is not there when it is called. `name` has
  // 64 hexadecimal characters and stands for the content.
  using Fill = std::function<absl::Status(const std::string& folder)>;
  absl::StatusOr<std::string> AcquireFilled(const std::string& name, const Fill& fill,
                                            const std::function<bool()>& cancelled);
  void Release(const std::string& digest);
  // Of what was acquired and not released; 0 of others.
  int64_t BytesOf(const std::string& digest) const;

  // What was acquired is a data set, known to others as `known_as`; kept through restarts.
  void MarkData(const std::string& digest, const std::string& known_as);
  // As what they are known: the data sets that are here whole, at most `limit`, the ones used last.
  std::vector<std::string> DataHeld(size_t limit) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
