// Whose fault it is that a task could not be prepared: the program's ends its job, the node's is
// tried again elsewhere. Pure.
#pragma once

#include "absl/status/status.h"

namespace baton::worker {

enum class Part {
  kFolder,       // of the task, with the package's copy in it: the node's own
  kPackage,      // fetched
  kData,         // fetched
  kCheckpoint,   // fetched: damaged or gone, rather than the program's
  kEnvironment,  // installed, or found
};

// What a system call of this machine refused is never the program's fault, whatever its code.
bool IsJobsFault(Part part, const absl::Status& status);

}  // namespace baton::worker
