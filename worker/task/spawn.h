// Starts one process of a task. Standard library only, for the keeper.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace baton::worker {

struct SpawnRequest {
  std::vector<std::string> argv;         // argv[0] without '/' is searched in the PATH given
  std::vector<std::string> environment;  // NAME=value
  std::string folder;
  int input = -1;   // becomes stdin
  int output = -1;  // becomes stdout, and stderr too unless `error` is given
  int error = -1;
  bool terminal = false;  // stdin is one, and becomes the session's own
};

struct Spawned {
  pid_t pid = -1;  // -1: failed
  int error_number = 0;
  const char* what = "";  // the step that failed
};

// The process leads its own session and process group, dies with the calling thread
// (PR_SET_PDEATHSIG), can't gain privileges, writes no core file, and has default signals.
Spawned Spawn(const SpawnRequest& request);

}  // namespace baton::worker
