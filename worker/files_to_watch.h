// Which files of a script are its checkpoints.
#pragma once

#include <optional>
#include <string>

#include "worker/checkpoint/file_checkpoints.h"
#include "worker/core/task.h"
#include "worker/task/environment.h"

namespace baton::worker {

// nullopt: its spec names none, or another rank's count. `resume_folder`: of the checkpoint that it
// begins with; empty: from the start.
std::optional<FileCheckpointOptions> FilesToWatch(const Wanted& task, const TaskPlaces& places,
                                                  const std::string& resume_folder);

}  // namespace baton::worker
