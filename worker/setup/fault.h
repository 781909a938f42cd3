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

// Of a command that ended with `code` (-N: killed by signal N; not 0). What it failed by stands at
// the end: of a full disk or memory only the last lines and the line that says the error speak, and
// of two causes the later one. A test of its own may print any words before.
Fault FaultOfStep(int code, absl::string_view printed);

// Of `podman pull` and its like.
Fault FaultOfPull(int code, absl::string_view printed);

// Whether a program in a container did not even run: code and last line are the runtime's own. A
// program may end with that code, too.
bool IsRuntimesFault(absl::string_view runtime, int code, absl::string_view last_line);

// The line that says most of a step's last words, and what to do about it where that is known.
// InvalidArgument for the program's own fault; Unavailable; ResourceExhausted of a full disk.
absl::Status StepFailure(absl::string_view title, int code, absl::string_view printed, Fault fault);

}  // namespace baton::worker
