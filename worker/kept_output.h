// What a task wrote and could not be uploaded.
#pragma once

#include <string>

#include "worker/core/task.h"

namespace baton::worker {

// Moves it out of the task's folder, which goes with the task, into `folder`. Its new place; empty,
// with a warning in the log, where that is not possible.
std::string KeepOutput(const std::string& folder, const TaskKey& key, const std::string& output);

}  // namespace baton::worker
