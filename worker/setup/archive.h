// A whole folder as one artifact: a tar archive, cut into the store's chunks while it is packed and
// unpacked while it is fetched. It keeps what a manifest of single files does not: links, times
// (compiled Python files are valid by them), empty folders; and an environment of 30,000 small
// files is some hundred chunks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/artifact/artifact.h"

namespace baton::worker {

struct StoredArchive {
  std::string manifest;  // digest
  int64_t bytes = 0;     // raw
  int64_t bytes_sent = 0;
};

// Aborted when the folder changes meanwhile; errors as artifact.h says; Cancelled.
absl::StatusOr<StoredArchive> StoreArchive(const std::string& folder, artifact::Store& store,
                                           const std::function<bool()>& cancelled);

// Into the new folder `folder`. NotFound and DataLoss when the store does not have it whole;
// ResourceExhausted when the disk is full; Cancelled. What is there after a failure is of no use.
absl::Status RestoreArchive(const std::string& manifest, artifact::Store& store,
                            const std::string& folder, const std::function<bool()>& cancelled);

}  // namespace baton::worker
