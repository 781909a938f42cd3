// How many threads a process gets.
#pragma once

namespace baton::trainer {

// CPUs that this process may use.
int AvailableCpus();

// The user's word (0: none), else the field's (OMP_NUM_THREADS, which launchers set), else the
// machine's; within 1 .. most.
int ThreadCount(int wanted, int most);

}  // namespace baton::trainer
