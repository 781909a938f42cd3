// Programs that start ranks: torchrun, mpirun, accelerate. Most catch SIGTERM and end their ranks
// at once on it, which throws away the time that a preemption notice leaves. The standard library
// only.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "worker/task/process_tree.h"

namespace baton::worker {

// Those of `processes` that are the parent of a rank: of a process whose environment gives it
// another place in a gang (RANK, LOCAL_RANK, Open MPI's and MPICH's names, torchrun's id of the
// run) than its parent's own does. Environments are those that the processes were started with.
std::set<pid_t> RankLaunchers(const std::vector<Process>& processes);

}  // namespace baton::worker
