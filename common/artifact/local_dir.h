// An artifact store in a local folder: chunks/ab/<digest>, manifests/<digest>, and tmp/ for what
// is being written. One process owns the folder at a time. Where it is removed meanwhile, the next
// put makes it anew, and an error in the log says so.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/artifact/artifact.h"
#include "common/clock.h"

namespace baton::artifact {

struct LocalDirOptions {
  // Puts are refused with ResourceExhausted below this share of the disk, in percent.
  int free_percent_min = 10;
};

// What a collection may not touch besides what is young.
struct Live {
  std::vector<std::string> manifests;  // with all their chunks
  std::set<std::string> chunks;        // pinned by an upload session
};

struct Collected {
  int64_t chunks = 0;
  int64_t manifests = 0;
  int64_t bytes = 0;
};

class LocalDir : public Store {
 public:
  // Makes the folder and clears its tmp/. `clock` outlives the store. Fails when the folder cannot
  // be written.
  static absl::StatusOr<std::unique_ptr<LocalDir>> Open(const std::string& folder,
                                                        const LocalDirOptions& options = {},
                                                        const Clock& clock = SystemClock());
  ~LocalDir() override;

  absl::StatusOr<std::vector<std::string>> MissingChunks(
      const std::vector<std::string>& digests) override;
  absl::Status PutChunk(const std::string& digest, absl::string_view compressed) override;
  absl::StatusOr<std::string> GetChunk(const std::string& digest) override;
  absl::StatusOr<std::string> PutManifest(absl::string_view bytes) override;
  absl::StatusOr<std::string> GetManifest(const std::string& digest) override;

  // Deletes manifests that are not live, and chunks that neither a live manifest nor a pin names,
  // when they were last put or asked for more than `age_ms_min` ago. DataLoss, and nothing is
  // deleted, when a live manifest cannot be read: its chunks are not known.
  absl::StatusOr<Collected> Collect(const Live& live, int64_t age_ms_min);

 private:
  struct State;
  explicit LocalDir(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace baton::artifact
