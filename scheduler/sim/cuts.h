// Which nodes can't reach which others, though the scheduler hears them all: single pairs in one or
// both directions, and whole parts of the fleet, for a while each.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "scheduler/sim/context.h"
#include "scheduler/state/job.h"

namespace baton::sim {

class Cuts {
 public:
  using OnCut = std::function<void(const state::NodeId& from, const state::NodeId& to)>;
  Cuts(Context& context, OnCut on_cut) : context_(context), on_cut_(std::move(on_cut)) {}

  // Nodes in the order of their making; begins to cut now and then.
  void Begin(std::vector<state::NodeId> nodes);
  // Ends all cuts, for good.
  void Heal();

  bool Cut(const state::NodeId& from, const state::NodeId& to) const {
    return cut_.count({from, to}) != 0;
  }

 private:
  using Pair = std::pair<state::NodeId, state::NodeId>;
  void Book();
  void Break(const Pair& pair, int64_t duration_ms);

  Context& context_;
  const OnCut on_cut_;
  std::vector<state::NodeId> nodes_;
  std::map<Pair, int> cut_;  // how often it is cut right now
  bool healed_ = false;
};

}  // namespace baton::sim
