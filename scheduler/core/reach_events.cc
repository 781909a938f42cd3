// Who is asked to probe whom, and what is made of the answers. A node that joins is probed by all
// others and probes them; pairs that failed are asked for again, soon while a gang waits. Nothing
// that runs is touched: only the next gang is placed by it.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "scheduler/core/machine.h"

namespace baton::core {
namespace {

using state::Attempt;
using state::Node;
using state::NodeId;
using state::Reach;

constexpr int64_t kAgainMs = 300'000;
constexpr int64_t kAgainWhileGangsWaitMs = 5'000;
// Of one node in one round: where half of a large fleet is cut off, each round asks for others.
constexpr size_t kAgainMax = 64;
// Of one node after a failed attempt.
constexpr size_t kDoubtedMax = 16;

bool SameMachine(const state::NodeOffer& a, const state::NodeOffer& b) {
  return !a.host_id.empty() && a.host_id == b.host_id;
}

bool TakesPart(const state::NodeOffer& offer) {
  return policy::IsReachable(offer) && offer.probe_port > 0;
}

}  // namespace

bool Machine::SameWay(const state::NodeOffer& a, const state::NodeOffer& b) {
  return a.incarnation == b.incarnation && a.data_addresses == b.data_addresses &&
         a.probe_port == b.probe_port && a.host_id == b.host_id;
}

void Machine::JoinReach(const Node& node, bool anew) {
  Reach& reach = state_.reach;
  const NodeId& id = node.offer.id;
  if (!TakesPart(node.offer)) return LeaveReach(id);
  out_.reach_changed = true;
  if (now_ms_ - reach.asked_ms >= AgainAfterMs()) reach.asked_ms = now_ms_;
  anew = anew || reach.SlotOf(id) < 0;
  if (anew) reach.Add(id);
  const int32_t slot = reach.SlotOf(id);
  for (const int32_t other : anew ? reach.UnshownFrom(slot) : std::vector<int32_t>()) {
    if (!SameMachine(node.offer, state_.nodes.at(reach.NodeAt(other)).offer)) continue;
    reach.Tell(slot, other, "");
    reach.Tell(other, slot, "");
  }
  for (const int32_t other : reach.UnshownFrom(slot)) probes_.emplace_back(slot, other);
  for (const int32_t other : reach.UnshownTo(slot)) probes_.emplace_back(other, slot);
}

void Machine::LeaveReach(const NodeId& node) {
  if (state_.reach.SlotOf(node) < 0) return;
  state_.reach.Remove(node);
  out_.reach_changed = true;
}

void Machine::ClearReach() {
  state_.reach = Reach();
  out_.reach_changed = true;
  fleet_.SetReach(&state_.reach);
}

int64_t Machine::AgainAfterMs() const {
  return waiting_gangs_ > 0 ? kAgainWhileGangsWaitMs : kAgainMs;
}

int64_t Machine::ReachDeadline() const {
  if (state_.reach.unshown() == 0) return Deadlines::kNever;
  return state_.reach.asked_ms + AgainAfterMs();
}

void Machine::AskAgainIfDue() {
  Reach& reach = state_.reach;
  if (now_ms_ < ReachDeadline()) return;
  reach.asked_ms = now_ms_;
  out_.reach_changed = true;
  for (const auto& [node, from] : reach.slots()) {
    const std::vector<int32_t> unshown = reach.UnshownFrom(from);
    const size_t first = unshown.empty() ? 0 : size_t{reach.rounds} * kAgainMax % unshown.size();
    for (size_t i = 0; i < std::min(kAgainMax, unshown.size()); ++i) {
      probes_.emplace_back(from, unshown[(first + i) % unshown.size()]);
    }
  }
  ++reach.rounds;
}

// Its nodes may have lost each other since they were probed: they are asked anew. What was shown
// holds until one of them tells otherwise, or the next attempt would find no two nodes that reach
// each other. In a large gang each asks for those that come after it.
void Machine::DoubtReach(const Attempt& attempt) {
  std::set<NodeId> distinct;
  for (const state::Task& task : attempt.tasks) {
    if (state_.reach.SlotOf(task.node) >= 0) distinct.insert(task.node);
  }
  const std::vector<NodeId> nodes(distinct.begin(), distinct.end());
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (size_t next = 1; next <= std::min(kDoubtedMax, nodes.size() - 1); ++next) {
      const NodeId& to = nodes[(i + next) % nodes.size()];
      if (SameMachine(state_.nodes.at(nodes[i]).offer, state_.nodes.at(to).offer)) continue;
      probes_.emplace_back(state_.reach.SlotOf(nodes[i]), state_.reach.SlotOf(to));
    }
  }
}

absl::Status Machine::On(const state::NodesProbed& event) {
  for (const state::NodeProbes& told : event.nodes) {
    const auto from = state_.nodes.find(told.node);
    const bool current = from != state_.nodes.end() && from->second.up &&
                         from->second.offer.incarnation == told.incarnation;
    if (!current || state_.reach.SlotOf(told.node) < 0) continue;
    for (const state::ProbeResult& result : told.results) {
      const auto to = state_.nodes.find(result.to);
      if (result.to == told.node || to == state_.nodes.end()) continue;
      const state::NodeOffer& offer = to->second.offer;
      // Of a worker that is no more; or of one machine, which needs no probe.
      if (state_.reach.SlotOf(result.to) < 0 || offer.probe_port != result.port) continue;
      if (SameMachine(from->second.offer, offer)) continue;
      state_.reach.Tell(told.node, result.to, result.error);
      out_.reach_changed = true;
      ++reach_told_;
    }
  }
  return absl::OkStatus();
}

// At the end of a step: all that it has asked for, one effect for each node that is asked.
void Machine::SendProbes() {
  std::sort(probes_.begin(), probes_.end());
  probes_.erase(std::unique(probes_.begin(), probes_.end()), probes_.end());
  int32_t last = -1;
  for (const auto& [from, to] : probes_) {
    const NodeId& node = state_.reach.NodeAt(from);
    const NodeId& target = state_.reach.NodeAt(to);
    if (node.empty() || target.empty()) continue;
    if (from != last) {
      out_.effects.push_back(state::ProbeNodes{
          .node = node, .incarnation = state_.nodes.at(node).offer.incarnation, .targets = {}});
    }
    last = from;
    const state::NodeOffer& offer = state_.nodes.at(target).offer;
    std::get<state::ProbeNodes>(out_.effects.back())
        .targets.push_back(
            {.node = target, .address = policy::DataAddress(offer), .port = offer.probe_port});
  }
}

// Rooms that are kept for a gang are of no use to it once two of them are known not to reach each
// other. What is not known yet, as after a start of the scheduler, keeps them.
bool Machine::MayReachEachOther(const std::set<NodeId>& nodes) const {
  Reach::Bits slots;
  for (const NodeId& node : nodes) {
    const int32_t slot = state_.reach.SlotOf(node);
    if (slot >= 0) state::SetBit(&slots, slot);
  }
  return std::none_of(nodes.begin(), nodes.end(), [&](const NodeId& node) {
    return state::HaveCommon(state_.reach.FailedOf(state_.reach.SlotOf(node)), slots);
  });
}

}  // namespace baton::core
