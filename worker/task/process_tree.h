// Looking at processes through /proc. A process may end at any moment: what is gone is left out.
// Standard library only, for the keeper.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace baton::worker {

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t session = 0;
  char state = '?';              // 'Z': dead, waiting to be reaped
  unsigned long long start = 0;  // clock ticks since boot: with the pid, the process's identity
};

// All processes of the machine that are visible, by pid.
std::vector<Process> AllProcesses();

// Those below `root`, not `root` itself.
std::vector<Process> Descendants(pid_t root, const std::vector<Process>& all);

// The calling process's own children, from /proc when the kernel lists them there, else by looking
// at all processes.
std::vector<pid_t> OwnChildren();

// Whether the process has a handler for `signal` (SigCgt in /proc/PID/status).
bool Catches(pid_t pid, int signal);

// Whether the process has the file open, whatever for.
bool HasOpen(pid_t pid, dev_t device, ino_t inode);

// Inodes of the files that the processes below `root`, itself, and those that carry `variable` have
// open for writing.
std::set<uint64_t> InodesWritten(pid_t root, const std::string& variable);

// The environment that the process was started with: a zero byte before each NAME=value, and one at
// its end. Only that when it is gone, or another's.
std::string EnvironmentOf(pid_t pid);

// Whether `variable` (NAME=value) is in the environment the process was started with.
bool HasVariable(pid_t pid, const std::string& variable);

// Kills every process of the machine in whose environment a variable begins with `mark`
// (NAME=beginning of its value), but the calling one, until none is left or two seconds have
// passed. Returns how many were killed.
int KillMarked(const std::string& mark);

// Kills and reaps everything below the calling process until nothing is left, or two seconds have
// passed (a process in an uninterruptible wait).
void KillAllDescendants();

}  // namespace baton::worker
