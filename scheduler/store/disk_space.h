// Room on the disk that holds a path.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace baton::store {

struct DiskSpace {
  int64_t free_bytes = 0;  // for unprivileged writers
  int64_t total_bytes = 0;
};

absl::StatusOr<DiskSpace> DiskSpaceOf(const std::string& path);

}  // namespace baton::store
