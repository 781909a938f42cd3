// What a script of Slurm expects of its node. With `launch: node` the first node runs the script,
// and `srun PROGRAM` there starts tasks on all of them (worker/step/). Else a rank is one of
// Slurm's tasks, each runs the script, and `srun PROGRAM` starts this rank's part.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "worker/task/environment.h"

namespace baton::worker {

// The job's own environment says so, by SLURM_JOB_NAME.
bool WantsSlurm(const TaskSpec& spec);

// SLURM_* (sbatch(1), output environment variables), and PATH with the programs below.
void SetSlurm(const EnvironmentInput& input, std::map<std::string, std::string>* variables);

// The words that start the task: the program of worker/step/ in front of the spec's, where it runs
// the script or waits for it; else the spec's.
std::vector<std::string> SlurmCommand(const Wanted& task, const TaskPlaces& places);

// `srun`, and `scontrol show hostnames`, into the task's folder of programs. `step_program`: the
// path of baton-step.
absl::Status WriteSlurmPrograms(const TaskPlaces& places, const std::string& step_program);

}  // namespace baton::worker
