#include "scheduler/edge/probe_reports.h"

#include <algorithm>

namespace baton::edge {

void ProbeReports::Add(const state::NodeId& node, const std::string& incarnation,
                       const std::vector<state::ProbeResult>& results) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const state::ProbeResult& result : results) {
    if (waiting_.size() >= limits_.waiting_max) return;
    const std::pair<state::NodeId, state::NodeId> pair = {node, result.to};
    const auto known = failed_.find(pair);
    const bool is_known = known != failed_.end() && known->second.port == result.port &&
                          known->second.error == result.error;
    if (is_known) continue;
    if (result.error.empty()) {
      failed_.erase(pair);
    } else if (known != failed_.end() || failed_.size() < limits_.waiting_max) {
      failed_[pair] = result;
    }
    waiting_.push_back({{node, incarnation}, result});
  }
}

void ProbeReports::Forget(const state::NodeId& node) {
  std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(failed_, [&node](const auto& told) {
    return told.first.first == node || told.first.second == node;
  });
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
