// `baton` itself, run as a person runs it: the game's jobs are submitted, followed and collected by
// the commands that its players use.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace baton::client::chaos {

struct Errand {
  int exit_code = 0;
  std::string out;
  std::string err;
};

// Waits for its end. An error: it could not be started. Thread-safe.
absl::StatusOr<Errand> RunBaton(const std::vector<std::string>& words);

}  // namespace baton::client::chaos
