// In which order nodes are asked to take ranks of a job.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "scheduler/policy/placement.h"

namespace baton::policy {

inline bool HoldsAll(const NodeRoom& room, const std::vector<uint64_t>& data) {
  const std::vector<uint64_t>& cached = room.node->offer.cached;
  return std::includes(cached.begin(), cached.end(), data.begin(), data.end());
}

// A node that has to fetch the job's data first counts as a tenth dearer.
inline bool IsCheaper(const NodeRoom& holds, const NodeRoom& lacks) {
  const auto price = [](const NodeRoom& room) {
    return static_cast<__int128>(room.node->offer.price_usd_micro_per_hour);
  };
  return price(holds) * 10 <= price(lacks) * 11;
}

// Visits the open nodes, cheapest first, until `visit` returns false: two sorted lists merged,
// those that hold the job's data and those that don't.
template <typename Visit>
void ForEachByPrice(const Fleet& fleet, const std::vector<uint64_t>& data, const Visit& visit) {
  static const Fleet::Open kNone;
  const Fleet::Open* holding = data.empty() ? nullptr : fleet.Holding(data.front());
  if (holding == nullptr) holding = &kNone;
  auto near = holding->begin();
  for (auto far = fleet.open().begin();;) {
    while (near != holding->end() && !HoldsAll(**near, data)) ++near;
    while (far != fleet.open().end() && holding != &kNone && HoldsAll(**far, data)) ++far;
    const bool near_first =
        near != holding->end() && (far == fleet.open().end() || IsCheaper(**near, **far));
    if (!near_first && far == fleet.open().end()) return;
    if (!visit(near_first ? **near++ : **far++)) return;
  }
}

// Visits the open nodes, best first, until `visit` returns false.
template <typename Visit>
void ForEachInOrder(const Fleet& fleet, const Ask& ask, const Visit& visit) {
  bool more = true;
  for (const bool avoided : {false, true}) {
    if (!more || (avoided && ask.avoid.empty())) return;
    ForEachByPrice(fleet, ask.spec->data, [&](const NodeRoom& room) {
      if ((ask.avoid.count(room.node->offer.id) != 0) == avoided) more = visit(room);
      return more;
    });
  }
}

}  // namespace baton::policy
