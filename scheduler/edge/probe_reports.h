// What nodes find when they probe each other, gathered so that a fleet that comes up is a few
// events and not one per pair. Thread-safe.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/state/event.h"

namespace baton::edge {

class ProbeReports {
 public:
  struct Limits {
    size_t waiting_max = 200'000;  // findings; what comes above is asked for again
    size_t event_max = 4'096;
  };
  explicit ProbeReports(const Limits& limits) : limits_(limits) {}

  // A failure that was told before is not told again: pairs that are cut off are asked for every
  // few seconds, and each telling is an event in the log.
  void Add(const state::NodeId& node, const std::string& incarnation,
           const std::vector<state::ProbeResult>& results);

  // The node joins anew: the core has forgotten what was found of it.
  void Forget(const state::NodeId& node);

  // The oldest, as one event; without nodes: there is nothing to tell.
  state::NodesProbed Take();

 private:
  const Limits limits_;
  std::mutex mutex_;
  std::vector<std::pair<std::pair<state::NodeId, std::string>, state::ProbeResult>> waiting_;
  // What failed when it was told last: from, to, and how.
  std::map<std::pair<state::NodeId, state::NodeId>, state::ProbeResult> failed_;
};

}  // namespace baton::edge
