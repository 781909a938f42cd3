// How many ranks an attempt should have, given how many the fleet can hold now.
#pragma once

#include <cstdint>

namespace baton::policy {

struct WorldRange {
  int32_t ranks_min = 1;
  int32_t ranks_max = 1;
  int32_t shards = 0;  // V; 0: a command, every rank is worth one
  int32_t unit = 1;    // sizes are multiples of it (ranks of one node), as both ends are
};

// The smallest world size in the range that gives the highest speed-up within reach: P ranks over
// V shards run V / ceil(V / P) times as fast as one, so that at V = 8 five ranks are no faster than
// four. 0: `reachable` ranks are too few.
int32_t ChooseWorldSize(const WorldRange& range, int32_t reachable);

// Shards that the busiest rank runs: what a step takes, in units of one shard. For a command
// (V = 0) the result is comparable only between calls with the same range.
int32_t StepLength(const WorldRange& range, int32_t world_size);

}  // namespace baton::policy
