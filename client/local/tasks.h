// What a local worker runs right now, read from the processes themselves.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace baton::client {

struct LocalTask {
  std::string job;
  int rank = 0;
  pid_t pid = 0;  // of the program, first of its process group
};

// The tasks of the worker: children of its keeper that carry the job contract's environment.
std::vector<LocalTask> TasksOf(pid_t worker);

}  // namespace baton::client
