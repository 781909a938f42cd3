// Files from the internet, checked before they appear.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/checksum.h"

namespace baton::client {

struct DownloadRequest {
  std::string url;
  std::string path;  // appears whole or not at all; PATH.part until then
  Checksum checksum;
  int64_t bytes_max = int64_t{1} << 30;
};

// DataLoss when the digest differs (both are named), Unavailable when the server cannot be reached,
// ResourceExhausted when the disk is full. `progress` is told bytes so far; it may be empty.
absl::Status DownloadFile(const DownloadRequest& request, const std::atomic<bool>& stop,
                          const std::function<void(int64_t)>& progress);

// A file that mirrors have under one name.
struct PublicFile {
  std::string name;
  Checksum checksum;
};

// The file at `path`, from the first of the mirrors (URLs that end with '/') that has it; on a
// terminal its progress is shown. True when it had to be fetched, false when it was there.
absl::StatusOr<bool> FetchFile(const PublicFile& file, const std::vector<std::string>& mirrors,
                               const std::string& path, const std::atomic<bool>& stop);

}  // namespace baton::client
