// The three programs of a Slurm script's job; each returns its exit code. A job is one task a node:
// the first runs the batch script, the others wait for what `srun` there starts. They speak through
// the gang's rendezvous, under these keys: `slurm/K/0`, `slurm/K/1`, .. the order of step K in
// pieces, `slurm/K/word/I` what its srun says later (a signal's number), `slurm/K/code/N` how it
// ended on node N, `slurm/gone/I` the step of the I-th srun that was killed, `slurm/end` that the
// script has ended, `slurm/bye/N` that node N knows. A task may set so many keys: what a step needs
// no more is taken back (`done` with a key), what others may still have to read kKeptSteps later.
#pragma once

#include <string>
#include <vector>

namespace baton::worker {

// A node whose line is away while so many steps begin without it misses the first of them.
inline constexpr int kKeptSteps = 1'500;

inline std::string GoneKey(int number) { return "slurm/gone/" + std::to_string(number); }

// Runs `command` to its end, and with it the job's.
int RunBatch(const std::vector<std::string>& command);

// On the other nodes, until the batch script has ended.
int RunWaiter();

// `words`: what stands behind srun. Its exit code is the highest of its tasks'.
int RunSrun(const std::vector<std::string>& words);

}  // namespace baton::worker
