// Ranks shared out over nodes.
#pragma once

#include <cstdint>
#include <vector>

#include "scheduler/policy/fleet.h"
#include "scheduler/policy/placement.h"

namespace baton::policy {

struct NodeFit {
  const NodeRoom* room = nullptr;
  int32_t fit = 0;  // ranks that it can take
};

// One rank on each of the nodes, best first, then a second round, and so on; they must hold all.
// With `each` above 0 so many on each of as few nodes as that takes. Ranks of one node are
// neighbours.
std::vector<RankPlace> Spread(const std::vector<NodeFit>& nodes, int32_t ranks, int32_t each,
                              const state::Resources& need);

}  // namespace baton::policy
