// Which tasks of a step run where, and what each finds in its environment. Pure; the standard
// library only.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "worker/step/srun_options.h"

namespace baton::worker {

// What the batch script's environment says of the job.
struct JobShape {
  std::vector<std::string> nodes;  // by rank; on one machine several may have the same address
  int tasks = 1;                   // SLURM_NTASKS
  int tasks_per_node = 1;
};

struct StepPart {
  int node = 0;  // index in the job's nodes
  int first = 0;
  int tasks = 0;
};

struct StepPlan {
  int tasks = 0;
  std::vector<StepPart> parts;  // by node, each with at least one task
  std::string error;            // not empty: it can't be
};

// Tasks stand in blocks, as by Slurm's default; the first nodes have the odd ones.
StepPlan PlanStep(const SrunOptions& options, const JobShape& job);

using Variables = std::vector<std::pair<std::string, std::string>>;

// SLURM_* and torchrun's names of one task. `cpus`: of a task; 0: as the job says.
Variables TaskVariables(const StepPlan& plan, size_t part, int local, int step, int cpus);

}  // namespace baton::worker
