// An artifact store over another that fails as told.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "common/artifact/artifact.h"

namespace baton::worker {

class FaultyStore : public artifact::Store {
 public:
  explicit FaultyStore(artifact::Store& under) : under_(under) {}

  std::atomic<int> away_for{0};    // so many calls answer Unavailable; negative: all
  std::atomic<int> broken_for{0};  // so many calls answer Internal; negative: all
  std::atomic<int> damage_for{0};  // so many chunks come back damaged
  std::atomic<int> chunks_put{0};
  std::atomic<int> chunks_got{0};

  absl::StatusOr<std::vector<std::string>> MissingChunks(
      const std::vector<std::string>& digests) override {
    if (const absl::Status failure = Failure(); !failure.ok()) return failure;
    return under_.MissingChunks(digests);
  }
  absl::Status PutChunk(const std::string& digest, absl::string_view compressed) override {
    if (const absl::Status failure = Failure(); !failure.ok()) return failure;
    ++chunks_put;
    return under_.PutChunk(digest, compressed);
  }
  absl::StatusOr<std::string> GetChunk(const std::string& digest) override {
    if (const absl::Status failure = Failure(); !failure.ok()) return failure;
    if (damage_for > 0) {
      --damage_for;
      return absl::DataLossError("damaged by the test");
    }
    ++chunks_got;
    return under_.GetChunk(digest);
  }
  absl::StatusOr<std::string> PutManifest(absl::string_view bytes) override {
    if (const absl::Status failure = Failure(); !failure.ok()) return failure;
    return under_.PutManifest(bytes);
  }
  absl::StatusOr<std::string> GetManifest(const std::string& digest) override {
    if (const absl::Status failure = Failure(); !failure.ok()) return failure;
    return under_.GetManifest(digest);
  }

 private:
  static bool Counts(std::atomic<int>& times) {
    if (times > 0) {
      --times;
      return true;
    }
    return times < 0;
  }
  absl::Status Failure() {
    if (Counts(away_for)) return absl::UnavailableError("away, says the test");
    if (Counts(broken_for)) return absl::InternalError("broken, says the test");
    return absl::OkStatus();
  }

  artifact::Store& under_;
};

}  // namespace baton::worker
