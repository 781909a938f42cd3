// Prepares what a task's program runs in, with a log of it in front of the program's own.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/core/task.h"
#include "worker/preparer.h"
#include "worker/setup/environments.h"

namespace baton::worker {

struct EnvironmentOrder {
  Wanted wanted;
  TaskPlaces places;
  std::string package;  // folder, not to be written to; empty: no files
  std::function<bool()> cancelled;
};

// Errors as Environments::Prepare's.
absl::StatusOr<PreparedEnvironment> PrepareEnvironment(Environments& environments,
                                                       const PreparingLog& log,
                                                       const EnvironmentOrder& order);

// The folder that environments lie in, made where it is missing; the lock is held until the worker
// ends. FailedPrecondition when another worker uses it.
absl::Status OpenEnvironmentsFolder(const std::string& folder);

// Puts what the setup left into the task's working folder, and of rank 0 what was installed among
// its outputs, as .baton/environment.txt. `kept`: as LayOver's. `kept`: as LayOver's.
absl::Status PlaceEnvironment(const PreparedEnvironment& prepared, const TaskKey& key,
                              const TaskPlaces& places, const std::string& kept);

}  // namespace baton::worker
