// baton-trainer on this machine: some verbs are its own, and need no scheduler.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace baton::client {

// Beside this program, else on the PATH. FAILED_PRECONDITION says how to get it.
absl::StatusOr<std::string> FindTrainer();

// Becomes the trainer; its exit code is this program's. Returns only with an error.
absl::Status BecomeTrainer(const std::vector<std::string>& arguments);

struct TrainerRun {
  int exit_code = 0;  // 128 + N: signal N ended it
  std::string output;
};
// Runs it to its end; what it says on stderr goes to this program's.
absl::StatusOr<TrainerRun> RunTrainer(const std::vector<std::string>& arguments);

}  // namespace baton::client
