// The port to the index of stored environments: the scheduler's in a running worker.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace baton::worker {

// Thread-safe. Unavailable: try again.
class EnvironmentIndex {
 public:
  virtual ~EnvironmentIndex() = default;

  // The manifest of the environment `key`; NotFound.
  virtual absl::StatusOr<std::string> Find(const std::string& key) = 0;
  // The first word about a key holds; both are right.
  virtual absl::Status Register(const std::string& key, const std::string& manifest) = 0;
};

}  // namespace baton::worker
