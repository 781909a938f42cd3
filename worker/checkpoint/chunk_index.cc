#include "worker/checkpoint/chunk_index.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace baton::worker {
namespace {

// More than that is fetched anew: memory is the tasks'.
constexpr size_t kChunksMax = 200'000;

}  // namespace

void ChunkIndex::Add(const std::string& folder, const std::vector<artifact::ChunkPlace>& places) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const artifact::ChunkPlace& place : places) {
    if (places_.size() >= kChunksMax) return;
    places_.insert_or_assign(place.digest, place);
    digests_[folder].push_back(place.digest);
  }
}

void ChunkIndex::Remove(const std::string& folder) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto of_folder = digests_.find(folder);
  if (of_folder == digests_.end()) return;
  const std::string below = absl::StrCat(folder, "/");
  for (const std::string& digest : of_folder->second) {
    const auto place = places_.find(digest);
    // A later folder may have the chunk, too.
    if (place != places_.end() && absl::StartsWith(place->second.file, below)) places_.erase(place);
  }
  digests_.erase(of_folder);
}

std::optional<artifact::ChunkPlace> ChunkIndex::Find(const std::string& digest) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto place = places_.find(digest);
  if (place == places_.end()) return std::nullopt;
  return place->second;
}

}  // namespace baton::worker
