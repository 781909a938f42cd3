// A group whose ranks are threads of one process, over memory: for a single rank, and for tests.
#pragma once

#include <memory>
#include <vector>

#include "trainer/comm/group.h"

namespace baton::trainer {

// One member per rank, each for a thread of its own. A member that is destroyed has left: waits
// for what it never sent fail with UNAVAILABLE.
std::vector<std::unique_ptr<Group>> MakeLocalGroup(int size);

}  // namespace baton::trainer
