// Runs one command to its end, as the worker's own child: what prepares a task has no keeper.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::worker {

struct ChildRequest {
  std::vector<std::string> argv;         // argv[0] without '/' is searched in the PATH given
  std::vector<std::string> environment;  // NAME=value, the whole
  std::string folder;                    // working folder
  // NAME=value of `environment` that no other's processes have: what is left of the command is
  // killed by it. Empty: its process group alone is.
  std::string mark;
  int64_t limit_ms = 3'600'000;
  std::function<bool()> cancelled;                // asked some times a second; may be empty
  std::function<void(absl::string_view)> output;  // stdout and stderr; may be empty
  // Given to the command's stdin piece by piece until it returns false; empty: there is no input.
  // Called on a thread of its own.
  std::function<bool(std::string* piece)> input;
};

// Its exit code, -N when it was killed by signal N. NotFound: there is no such program; Cancelled;
// DeadlineExceeded beyond the limit. What it has started is gone when this returns.
absl::StatusOr<int> RunToEnd(const ChildRequest& request);

// What it prints, up to 1 MiB, and its exit code.
absl::StatusOr<int> ReadOutput(ChildRequest request, std::string* output);

}  // namespace baton::worker
