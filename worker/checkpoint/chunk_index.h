// Which chunks lie in the folders that a node has fetched: what a new artifact shares with an older
// one is copied, not fetched again.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/artifact/transfer.h"

namespace baton::worker {

// Thread-safe. Takes some 300 bytes for a chunk.
class ChunkIndex {
 public:
  // The folder of that name holds these.
  void Add(const std::string& folder, const std::vector<artifact::ChunkPlace>& places);
  // It is gone.
  void Remove(const std::string& folder);
  std::optional<artifact::ChunkPlace> Find(const std::string& digest) const;

 private:
  mutable std::mutex mutex_;  // protects what follows
  std::unordered_map<std::string, artifact::ChunkPlace> places_;
  std::map<std::string, std::vector<std::string>> digests_;  // by folder
};

}  // namespace baton::worker
