// Puts a task's program into a container, where its job names an image.
#pragma once

#include <string>

#include "worker/core/task.h"
#include "worker/preparer.h"
#include "worker/task/launcher.h"

namespace baton::worker {

// Changes the command of `launch`; nothing without an image. `socket`: the rendezvous'.
void EnterContainer(const Wanted& task, const PreparedTask& prepared, const std::string& socket,
                    Launch* launch);

// What is left of a task's container goes, such as one whose client was killed. May take seconds.
void RemoveContainer(const TaskKey& key, const Surroundings& around);

}  // namespace baton::worker
