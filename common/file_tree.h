// Folders with all that is in them, and files too large for memory.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace baton {

// Removes what is there, without following links; also read-only folders, which keep all but root
// from removing what is in them. What can't be removed stays.
void RemoveTree(const std::string& path);

// With those above it; fine where it is there.
absl::Status MakeFolders(const std::string& path);

// In hexadecimal (hash.h).
absl::StatusOr<std::string> Sha256OfFile(const std::string& path);

}  // namespace baton
