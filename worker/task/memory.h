// What the kernel tells about memory: how much a task's processes have, how much there is, and
// whether it killed somebody for want of it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "worker/task/process_tree.h"

namespace baton::worker {

struct MemoryFacts {
  int64_t oom_kills = 0;  // so far, by the machine's kernel and in this process's cgroup
  int64_t limit_bytes =
      0;  // the smaller of the machine's memory and the cgroup's limit; 0: unknown
};

// `root` stands before /proc and /sys, for tests.
MemoryFacts ReadMemoryFacts(const std::string& root = "");

// Resident bytes of `pid` and of all processes below it; shared pages count in each.
int64_t ResidentBytes(pid_t pid, const std::vector<Process>& all);

// Why a task ended that nobody here killed, as far as memory goes.
struct MemoryEnd {
  int32_t code = 0;         // as the launcher tells it
  int64_t oom_kills = 0;    // while it ran
  int64_t peak_bytes = 0;   // the highest seen
  int64_t limit_bytes = 0;  // of the node
  std::string last_words;   // the last line that it printed
};

// Evidence that it ended for want of memory, as a sentence; empty: there is none.
std::string OutOfMemory(const MemoryEnd& end);

}  // namespace baton::worker
