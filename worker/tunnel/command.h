// A command beside a running task: in its folder, with its environment, as its user.
#pragma once

#include <string>

#include "worker/task/environment.h"
#include "worker/tunnel/line.h"

namespace baton::worker {

// Runs it to its end, or until the person is gone or `line` hangs: then its process group gets
// SIGHUP, and SIGKILL a second later; at once when the task has ended. The last frame is its exit
// code, or what went wrong.
void RunCommand(const v1::Command& command, const TaskPlaces& places, Line& line);

}  // namespace baton::worker
