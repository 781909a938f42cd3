#include "tests/scheduler/store/scripted_state.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace baton::store {

ScriptedState& ScriptedState::WriteJob(const std::string& id, const std::string& name) {
  state::Job& job = state_.jobs[id];
  if (job.id.empty()) {
    job.id = id;
    state::JobSpec spec;
    spec.wire = "spec of " + id;
    job.spec = std::make_shared<const state::JobSpec>(std::move(spec));
    job.submitter = std::make_shared<const state::Submitter>();
  }
  job.name = name;
  outputs_.dirty_jobs.push_back(id);
  outputs_.notes.push_back({id, 1, 0, "named", "Its name is " + name + "."});
  return *this;
}

ScriptedState& ScriptedState::WriteNode(const std::string& id, const std::string& name) {
  state_.nodes[id].offer.id = id;
  state_.nodes[id].offer.name = name;
  outputs_.dirty_nodes.push_back(id);
  return *this;
}

ScriptedState& ScriptedState::ShowReach(const std::string& from, const std::string& to) {
  for (const std::string& node : {from, to}) {
    if (state_.reach.SlotOf(node) < 0) state_.reach.Add(node);
  }
  state_.reach.Tell(from, to, "");
  outputs_.reach_changed = true;
  return *this;
}

ScriptedState& ScriptedState::DeleteJob(const std::string& id) {
  auto node =
      std::make_shared<std::map<state::JobId, state::Job>::node_type>(state_.jobs.extract(id));
  state_.deleted[id] = {.request_digest = 7, .deleted_ms = 1};
  outputs_.deleted_jobs.emplace_back(node, &node->mapped());
  outputs_.counters_dirty = true;
  return *this;
}

ScriptedState& ScriptedState::CountToken() {
  ++state_.counters.next_token;
  outputs_.counters_dirty = true;
  return *this;
}

state::Outputs ScriptedState::Take() {
  for (auto* dirty : {&outputs_.dirty_jobs, &outputs_.dirty_nodes}) {
    std::sort(dirty->begin(), dirty->end());
    dirty->erase(std::unique(dirty->begin(), dirty->end()), dirty->end());
  }
  return std::exchange(outputs_, {});
}

std::string Words(const state::State& state) {
  std::string words;
  for (const auto& [id, job] : state.jobs) {
    absl::StrAppend(&words, "job ", id, " ", job.name, " ", job.spec->wire, "\n");
  }
  for (const auto& [id, node] : state.nodes) {
    absl::StrAppend(&words, "node ", id, " ", node.offer.name, "\n");
  }
  absl::StrAppend(&words, "token ", state.counters.next_token, "\n");
  return words;
}

}  // namespace baton::store
