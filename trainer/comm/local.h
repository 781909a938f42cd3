// A group whose ranks are threads of one process, over memory: for a single rank, and for tests.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "trainer/comm/group.h"

namespace baton::trainer {

// One member per rank, each for a thread of its own. A member that is destroyed has left: waits
// for what it never sent fail with UNAVAILABLE.
std::vector<std::unique_ptr<Group>> MakeLocalGroup(int size);

// A line that each rank sends over, one message after the other.
struct LocalLink {
  double bytes_per_s = 0;  // 0: as fast as memory
  std::chrono::microseconds latency{0};
};

// The same over such lines, to see what a network's speed does to a step.
std::vector<std::unique_ptr<Group>> MakeLocalGroupOver(const LocalLink& link, int size);

}  // namespace baton::trainer
