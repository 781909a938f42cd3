// Whose fault it is that an environment could not be made, told from what a tool printed last. The
// program's own ends its job; others are tried again on another node. Pure.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace baton::worker {

enum class Fault {
  kProgram,  // no such package, versions that can't be together, a wrong checksum, a command's own
  kNetwork,  // a server was not reached, or had an error of its own
  kNode,     // killed for memory, out of files, a broken disk, a container runtime that is off
  kDisk,     // the node's is full
};

// Of a command that ended with `code` (-N: killed by signal N; not 0).
Fault FaultOfStep(int code, absl::string_view printed);

// Of `podman pull` and its like.
Fault FaultOfPull(int code, absl::string_view printed);

// Whether a program in a container did not even run: the code is the runtime's own.
bool IsRuntimesFault(absl::string_view runtime, int code);

// The line that says most of a step's last words, and what to do about it where that is known.
// InvalidArgument for the program's own fault; Unavailable; ResourceExhausted of a full disk.
absl::Status StepFailure(absl::string_view title, int code, absl::string_view printed, Fault fault);

}  // namespace baton::worker
