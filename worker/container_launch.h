// Puts a task's program into a container, where its job names an image.
#pragma once

#include <string>
#include <vector>

#include "worker/core/task.h"
#include "worker/preparer.h"
#include "worker/task/launcher.h"

namespace baton::worker {

// Changes the command of `launch`; nothing without an image. `socket`: the rendezvous'. `own`: the
// worker's environment, which says where the runtime is.
void EnterContainer(const Wanted& task, const PreparedTask& prepared, const std::string& socket,
                    const std::vector<std::string>& own, Launch* launch);

// What to say of a task of which its container's runtime, not its program, has ended with the code
// and these last words;
// empty of others.
std::string RuntimeFailed(const std::string& runtime, int code, const std::string& last_line);

// What is left of a task's container goes, such as one whose client was killed. May take seconds.
void RemoveContainer(const TaskKey& key, const Surroundings& around);

}  // namespace baton::worker
