#include "scheduler/policy/spread.h"

namespace baton::policy {

std::vector<RankPlace> Spread(const std::vector<NodeFit>& nodes, int32_t ranks, int32_t each,
                              const state::Resources& need) {
  std::vector<int32_t> counts(nodes.size(), 0);
  int32_t placed = 0;
  for (size_t i = 0; each > 0 && placed < ranks; ++i, placed += each) counts[i] = each;
  while (placed < ranks) {
    for (size_t i = 0; i < nodes.size() && placed < ranks; ++i) {
      if (counts[i] == nodes[i].fit) continue;
      ++counts[i];
      ++placed;
    }
  }
  std::vector<RankPlace> places;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (counts[i] == 0) continue;
    const NodeRoom& room = *nodes[i].room;
    const std::vector<int32_t> gpus = PickGpus(room, need, counts[i]);
    for (int32_t k = 0; k < counts[i]; ++k) {
      const auto from = gpus.begin() + k * need.gpus;
      places.push_back({room.node->offer.id, {from, from + need.gpus}});
    }
  }
  return places;
}

}  // namespace baton::policy
