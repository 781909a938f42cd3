// Nodes that all reach each other, picked greedily: the largest such set is a hard problem, and a
// fleet is mostly one that reaches all of itself, or a few parts that do.
#pragma once

#include <cstddef>
#include <vector>

#include "scheduler/policy/fleet.h"

namespace baton::policy {

// Both directions are shown, or it is one node.
bool ReachEachOther(const Fleet& fleet, const NodeRoom& a, const NodeRoom& b);

class Clique {
 public:
  explicit Clique(const Fleet& fleet) : reach_(fleet.reach()) {}

  // False, and nothing is changed: it does not reach all that are in, or they don't reach it.
  bool TryAdd(const NodeRoom& room);
  bool empty() const { return size_ == 0; }

 private:
  const state::Reach* reach_;
  size_t size_ = 0;
  state::Reach::Bits common_;  // whom all that are in reach, and are reached by
};

// Of `rooms`, in their order, those that form a clique with the one at `seed`, itself in its place.
std::vector<size_t> CliqueAround(const Fleet& fleet, const std::vector<const NodeRoom*>& rooms,
                                 size_t seed);

// Seeds worth trying after the first one: those in no clique yet; at most so many.
inline constexpr int kSeedsMax = 24;

}  // namespace baton::policy
