#include "scheduler/policy/grow.h"

#include <algorithm>

#include "scheduler/policy/clique.h"
#include "scheduler/policy/node_order.h"
#include "scheduler/policy/spread.h"

namespace baton::policy {
namespace {

// Ways in which all nodes of the gang meet, by name.
std::vector<GangGroup> WaysToMeet(const Fleet& fleet, const state::JobSpec& spec,
                                  const RunningGang& gang) {
  std::vector<GangGroup> common;
  bool first = true;
  for (const state::NodeId& id : gang.nodes) {
    const std::vector<GangGroup> of = GangGroups(fleet, fleet.Find(id)->node->offer, spec);
    if (std::exchange(first, false)) {
      common = of;
      continue;
    }
    std::erase_if(common, [&](const GangGroup& a) {
      return std::none_of(of.begin(), of.end(),
                          [&](const GangGroup& b) { return a.name == b.name; });
    });
  }
  return common;
}

bool Meets(const Fleet& fleet, const state::JobSpec& spec, const NodeRoom& room,
           const GangGroup& way) {
  const std::vector<GangGroup> of = GangGroups(fleet, room.node->offer, spec);
  return std::any_of(of.begin(), of.end(), [&](const GangGroup& g) { return g.name == way.name; });
}

struct Candidates {
  std::vector<NodeFit> others;
  std::vector<NodeFit> own;  // nodes of the gang
  int32_t ranks = 0;
};

Candidates CandidatesBy(const GangGroup& way, const Fleet& fleet, const Ask& ask,
                        const RunningGang& gang) {
  Candidates found;
  const int32_t most = ask.spec->ranks_max - gang.world_size;
  Clique clique(fleet);
  for (const state::NodeId& id : gang.nodes) {
    if (way.by_network && !clique.TryAdd(*fleet.Find(id))) return found;
  }
  ForEachInOrder(fleet, ask, [&](const NodeRoom& room) {
    const bool own = gang.nodes.count(room.node->offer.id) != 0;
    if (own && ask.spec->ranks_per_node > 0) return true;
    const int32_t fit = RanksHere(room, ask, most);
    if (fit == 0 || !Meets(fleet, *ask.spec, room, way)) return true;
    if (way.by_network && !own && !clique.TryAdd(room)) return true;
    (own ? found.own : found.others).push_back({&room, fit});
    found.ranks += fit;
    return static_cast<int32_t>(found.others.size()) < most;
  });
  return found;
}

}  // namespace

std::vector<RankPlace> PlaceJoiners(const Fleet& fleet, const Ask& ask, const RunningGang& gang) {
  const WorldRange range = RangeOf(*ask.spec);
  const int32_t useful = ChooseWorldSize(range, range.ranks_max);
  if (useful <= gang.world_size) return {};
  for (const GangGroup& way : WaysToMeet(fleet, *ask.spec, gang)) {
    Candidates found = CandidatesBy(way, fleet, ask, gang);
    const int32_t size = ChooseWorldSize(range, gang.world_size + found.ranks);
    if (size <= gang.world_size || StepLength(range, size) >= StepLength(range, gang.world_size)) {
      continue;
    }
    found.others.insert(found.others.end(), found.own.begin(), found.own.end());
    return Spread(found.others, size - gang.world_size, ask.spec->ranks_per_node, ask.need());
  }
  return {};
}

}  // namespace baton::policy
