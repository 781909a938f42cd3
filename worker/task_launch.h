// How the program of a prepared task is started: its command, environment and folder.
#pragma once

#include <string>
#include <vector>

#include "worker/core/task.h"
#include "worker/preparer.h"
#include "worker/task/launcher.h"

namespace baton::worker {

// `socket`: of the task's rendezvous. `trainer`: program of native jobs. `inherited`: the worker's
// environment. Without id and log.
Launch TaskLaunch(const Wanted& task, const PreparedTask& prepared, const std::string& socket,
                  const std::string& trainer, const std::vector<std::string>& inherited);

}  // namespace baton::worker
