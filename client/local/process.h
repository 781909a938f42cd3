// Programs that outlive the command that started them, told apart from later users of their pid.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace baton::client {

// A process as this machine knows it: the pid alone may belong to another program tomorrow.
struct Process {
  pid_t pid = 0;             // 0: none
  uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat
};

// Starts `argv` in a session of its own with stdin from /dev/null, and stdout and stderr appended
// to `log_file`.
absl::StatusOr<Process> StartDetached(const std::vector<std::string>& argv,
                                      const std::string& log_file);

// Who has this pid now; start_ticks 0: nobody.
Process FindProcess(pid_t pid);

bool IsAlive(const Process& process);

// Nothing when it is not alive.
void Signal(const Process& process, int signal);

// The parent, 0 when the process is gone.
pid_t ParentOf(pid_t pid);
std::vector<pid_t> AllPids();

// SIGKILL to every other process that was started with a variable which begins with `mark`
// (NAME=beginning of its value).
void KillMarked(const std::string& mark);

// The folder of the running program, where its siblings lie.
std::string ProgramFolder();

}  // namespace baton::client
