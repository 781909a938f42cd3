// Files from the internet, checked before they appear.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace baton::client {

struct DownloadRequest {
  std::string url;
  std::string path;    // appears whole or not at all
  std::string sha256;  // of the whole file, hexadecimal
  int64_t bytes_max = int64_t{1} << 30;
};

// DataLoss when the digest differs (both are named), Unavailable when the server cannot be reached.
// `progress` is told bytes so far; it may be empty.
absl::Status DownloadFile(const DownloadRequest& request, const std::atomic<bool>& stop,
                          const std::function<void(int64_t)>& progress);

}  // namespace baton::client
