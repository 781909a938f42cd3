// Is what a manifest names all there? Asked before the core hears of a checkpoint.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/artifact/artifact.h"

namespace baton::edge {

// NotFound: there is no such manifest. FailedPrecondition: chunks of it are missing. Reads the
// manifest; chunks were verified when they were stored, and are again when they are read.
absl::Status CheckWhole(artifact::Store& store, const std::string& manifest_digest);

}  // namespace baton::edge
