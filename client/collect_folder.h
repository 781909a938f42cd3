// The folder that `baton collect` fills. It remembers which files in it came from a job, so that
// the next collect takes away what it does not bring again, and touches nothing else.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace baton::client {

// Where a file of a job's output goes below the folder: as it is called, or below outputs/ when
// that name is one of Baton's own there (job.json, metrics.*, logs/attempt-*). No two share a
// place.
std::string PlaceOfOutput(const std::string& path);

struct CollectRecord {
  std::string job;                 // id; "" when nothing has been collected here
  std::vector<std::string> files;  // of its output or checkpoint, relative to the folder
};

CollectRecord ReadCollectRecord(const std::string& folder);

// Takes away what `before` put there and `now` does not, with Baton's own files when it was another
// job; then `now` is the record. Files are not yet put there.
absl::Status ReplaceCollected(const std::string& folder, const CollectRecord& before,
                              const CollectRecord& now);

}  // namespace baton::client
