#include "scheduler/policy/rescale.h"

#include <algorithm>

namespace baton::policy {

int32_t ChooseWorldSize(const WorldRange& range, int32_t reachable) {
  int32_t most = std::min(reachable, range.ranks_max);
  if (range.shards > 0) most = std::min(most, range.shards);
  most -= most % range.unit;
  if (most < range.ranks_min || most < 1) return 0;
  if (range.shards == 0) return most;
  const int32_t length = (range.shards + most - 1) / most;
  const int32_t smallest = (range.shards + length - 1) / length;
  const int32_t units = (smallest + range.unit - 1) / range.unit;
  return std::max(units * range.unit, range.ranks_min);
}

int32_t StepLength(const WorldRange& range, int32_t world_size) {
  if (range.shards == 0) return range.ranks_max - world_size;
  return (range.shards + world_size - 1) / world_size;
}

}  // namespace baton::policy
