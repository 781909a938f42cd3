// The standard library says by an exception what a system call of this machine refuses: that it has
// no thread more, or no memory. That is a failure like others, and no reason to end the worker.
#pragma once

#include <functional>

#include "absl/status/status.h"

namespace baton::worker {

// Does `work`; what it throws becomes a status that blames this machine (IsOwnMachines).
absl::Status WithoutThrow(const std::function<absl::Status()>& work);

}  // namespace baton::worker
