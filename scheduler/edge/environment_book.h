// Which prepared environments the artifact store holds: a small file for each in a folder, with its
// key as the name, the manifest and the size as content, and when it was last asked for as the
// file's time. Nothing here is a decision of the core: an entry that is lost costs one more setup.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/artifact/artifact.h"
#include "common/clock.h"

namespace baton::edge {

struct EnvironmentLimits {
  size_t entries_max = 256;
  int64_t bytes_max = int64_t{100} << 30;  // raw, of all together
};

// Thread-safe.
class EnvironmentBook {
 public:
  // Makes the folder. `store` and `clock` outlive the book.
  static absl::StatusOr<std::unique_ptr<EnvironmentBook>> Open(const std::string& folder,
                                                               artifact::Store& store,
                                                               const Clock& clock,
                                                               const EnvironmentLimits& limits);

  // The manifest of the environment `key`, which is then the last one to go. NotFound;
  // InvalidArgument when the key is no SHA-256.
  absl::StatusOr<std::string> Find(const std::string& key);

  // Keeps `manifest` under the key, unless another one is there: the one that holds is returned.
  // FailedPrecondition when the store has no such manifest; ResourceExhausted when it alone is
  // larger than all may be.
  absl::StatusOr<std::string> Register(const std::string& key, const std::string& manifest);

  // What a collection may not take. Entries whose manifest is gone are dropped.
  std::vector<std::string> Manifests();

 private:
  struct Entry {
    std::string manifest;
    int64_t bytes = 0;
    int64_t used_ms = 0;  // unix
  };

  EnvironmentBook(std::string folder, artifact::Store& store, const Clock& clock,
                  const EnvironmentLimits& limits);
  void Load();
  void Touch(const std::string& key, Entry* entry);
  void Drop(const std::string& key);
  void DropBeyondLimits(const std::string& spared);

  const std::string folder_;
  artifact::Store& store_;
  const Clock& clock_;
  const EnvironmentLimits limits_;
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // by key; guarded by mutex_
};

}  // namespace baton::edge
