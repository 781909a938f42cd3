// The three programs of a Slurm script's job; each returns its exit code. A job is one task a node:
// the first runs the batch script, the others wait for what `srun` there starts. They speak through
// the gang's rendezvous, under these keys: `slurm/K/0`, `slurm/K/1`, .. the order of step K in
// pieces, `slurm/K/word/I` what its srun says later (a signal's number), `slurm/K/code/N` how it
// ended on node N, `slurm/end` that the script has ended, `slurm/bye/N` that node N knows.
#pragma once

#include <string>
#include <vector>

namespace baton::worker {

// Runs `command` to its end, and with it the job's.
int RunBatch(const std::vector<std::string>& command);

// On the other nodes, until the batch script has ended.
int RunWaiter();

// `words`: what stands behind srun. Its exit code is the highest of its tasks'.
int RunSrun(const std::vector<std::string>& words);

}  // namespace baton::worker
