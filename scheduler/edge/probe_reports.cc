#include "scheduler/edge/probe_reports.h"

#include <algorithm>

namespace baton::edge {

void ProbeReports::Add(const state::NodeId& node, const std::string& incarnation,
                       const std::vector<state::ProbeResult>& results) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const state::ProbeResult& result : results) {
    if (waiting_.size() >= limits_.waiting_max) return;
    waiting_.push_back({{node, incarnation}, result});
  }
}

state::NodesProbed ProbeReports::Take() {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto end =
      waiting_.begin() + static_cast<ptrdiff_t>(std::min(limits_.event_max, waiting_.size()));
  // What one node has told stays in its order: the newest word counts.
  std::map<std::pair<state::NodeId, std::string>, std::vector<state::ProbeResult>> by_node;
  for (auto it = waiting_.begin(); it != end; ++it) {
    by_node[it->first].push_back(std::move(it->second));
  }
  waiting_.erase(waiting_.begin(), end);
  state::NodesProbed event;
  for (auto& [who, results] : by_node) {
    event.nodes.push_back(
        {.node = who.first, .incarnation = who.second, .results = std::move(results)});
  }
  return event;
}

}  // namespace baton::edge
