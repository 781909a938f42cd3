// Where tasks go that are to join a gang while it runs.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "scheduler/policy/placement.h"

namespace baton::policy {

// A gang that runs: by the ask's alternative, and on its device kind.
struct RunningGang {
  std::set<state::NodeId> nodes;  // of its members
  int32_t world_size = 0;
};

// As many as make the gang faster, and no more (ChooseWorldSize), by the rules of Place: on nodes
// that reach all of the gang's and each other, or are one machine with them; the gang's own nodes
// last, or not at all where the spec says how many ranks are on each. Empty: no size in reach is
// faster.
std::vector<RankPlace> PlaceJoiners(const Fleet& fleet, const Ask& ask, const RunningGang& gang);

}  // namespace baton::policy
