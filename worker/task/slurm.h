// What a script of Slurm expects of its node. A rank is one of Slurm's tasks, and each runs the
// script: `srun PROGRAM` there starts this rank's part.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "worker/task/environment.h"

namespace baton::worker {

// The job's own environment says so, by SLURM_JOB_NAME.
bool WantsSlurm(const TaskSpec& spec);

// SLURM_* (sbatch(1), output environment variables), and PATH with the programs below.
void SetSlurm(const EnvironmentInput& input, std::map<std::string, std::string>* variables);

// `srun`, and `scontrol show hostnames`, into the task's folder of programs.
absl::Status WriteSlurmPrograms(const TaskPlaces& places);

}  // namespace baton::worker
