// Why a program ended, where that was not its own doing.
#pragma once

#include <cstdint>
#include <string>

#include "worker/core/event.h"

namespace baton::worker {

// Looks at the disk of the task's `folder`, of one that ended with an error that nobody has
// explained yet.
void FindEndCause(const std::string& folder, int64_t disk_bytes_min, TaskExited* exited);

}  // namespace baton::worker
