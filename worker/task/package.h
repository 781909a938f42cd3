// A task's own copy of what its job packed.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace baton::worker {

// Copies the tree below `from` to the new folder `to` (0700): whole files, since a task may write
// into its own. `from` empty: an empty folder. Links and special files are refused.
absl::Status CopyPackage(const std::string& from, const std::string& to);

// A TCP port that is free on `address` at this moment, above 1023.
absl::StatusOr<int> FreePort(const std::string& address);

}  // namespace baton::worker
