#include "scheduler/policy/backfill.h"

#include <algorithm>
#include <map>

#include "scheduler/policy/clique.h"

namespace baton::policy {
namespace {

struct Candidate {
  const NodeRoom* room = nullptr;
  int32_t fit_empty = 0;
  bool free_now = false;
};

bool CouldHold(const NodeRoom& room, const Ask& ask) {
  switch (WhyNotHere(room, ask)) {
    case WhyNot::kNothing:
    case WhyNot::kUnheard:
    case WhyNot::kBusy:
      break;
    default:
      return false;
  }
  const state::JobId& other = room.node->promised_to;
  return other.empty() || other == ask.job || ask.honoured.count(other) == 0;
}

struct Group {
  std::vector<Candidate> nodes;
  bool by_network = false;
};

bool Better(const Candidate& a, const Candidate& b) {
  if (a.free_now != b.free_now) return a.free_now;
  return Preference()(a.room, b.room);
}

// `nodes`, best first, reach each other; empty: they can't hold so many ranks.
std::vector<Promise> Spread(const std::vector<Candidate>& nodes, int32_t ranks) {
  std::vector<Promise> promises(nodes.size());
  int32_t left = ranks;
  bool progress = true;
  while (left > 0 && progress) {
    progress = false;
    for (size_t i = 0; i < nodes.size() && left > 0; ++i) {
      if (promises[i].ranks == nodes[i].fit_empty) continue;
      promises[i].node = nodes[i].room->node->offer.id;
      ++promises[i].ranks;
      --left;
      progress = true;
    }
  }
  if (left > 0) return {};
  std::erase_if(promises, [](const Promise& p) { return p.ranks == 0; });
  return promises;
}

std::vector<Promise> FillClique(const Fleet& fleet, std::vector<Candidate> nodes, int32_t ranks,
                                size_t most) {
  std::sort(nodes.begin(), nodes.end(), Better);
  std::vector<const NodeRoom*> rooms;
  for (const Candidate& node : nodes) rooms.push_back(node.room);
  std::vector<bool> covered(nodes.size(), false);
  int tried = 0;
  for (size_t seed = 0; seed < nodes.size() && tried <= kSeedsMax; ++seed) {
    if (covered[seed]) continue;
    ++tried;
    std::vector<Candidate> picked;
    for (const size_t i : CliqueAround(fleet, rooms, seed)) {
      covered[i] = true;
      if (picked.size() < most) picked.push_back(nodes[i]);
    }
    std::vector<Promise> promises = Spread(picked, ranks);
    if (!promises.empty()) return promises;
  }
  return {};
}

// Each holds `unit` ranks at least, so that no more than the best ranks / unit nodes can matter.
std::vector<Promise> Fill(const Fleet& fleet, Group group, int32_t ranks, int32_t unit) {
  std::vector<Candidate>& nodes = group.nodes;
  const size_t most = std::min(nodes.size(), static_cast<size_t>(ranks / unit));
  std::partial_sort(nodes.begin(), nodes.begin() + static_cast<ptrdiff_t>(most), nodes.end(),
                    Better);
  if (group.by_network) {
    Clique clique(fleet);
    const bool all = std::all_of(nodes.begin(), nodes.begin() + static_cast<ptrdiff_t>(most),
                                 [&](const Candidate& node) { return clique.TryAdd(*node.room); });
    if (!all) return FillClique(fleet, std::move(nodes), ranks, most);
  }
  nodes.resize(most);
  return Spread(nodes, ranks);
}

std::vector<Promise> PromisesOf(const Fleet& fleet, const Ask& ask) {
  std::map<std::string, Group> groups;
  const int32_t ranks = ask.spec->ranks_min;
  const int32_t unit = RankUnit(*ask.spec);
  const int32_t most_here = ask.spec->ranks_per_node > 0 ? unit : ranks;
  for (const auto& [id, room] : fleet.rooms()) {
    if (!CouldHold(room, ask)) continue;
    const state::Resources& need = ask.need();
    const Candidate candidate = {
        .room = &room,
        .fit_empty = RanksThatFitEmpty(room.node->offer, need, most_here),
        .free_now = room.takes_work && RanksThatFit(room, need, unit) == unit};
    if (ranks == 1) {
      groups[""].nodes.push_back(candidate);
      continue;
    }
    for (const GangGroup& gang : GangGroups(fleet, room.node->offer, *ask.spec)) {
      groups[gang.name].nodes.push_back(candidate);
      groups[gang.name].by_network = gang.by_network;
    }
  }
  for (auto& [name, group] : groups) {
    std::vector<Promise> promises = Fill(fleet, std::move(group), ranks, unit);
    if (!promises.empty()) return promises;
  }
  return {};
}

}  // namespace

std::vector<Promise> ChoosePromises(const Fleet& fleet, const Ask& ask) {
  Ask one = ask;
  for (one.alternative = 0; one.alternative < state::Alternatives(*ask.spec); ++one.alternative) {
    std::vector<Promise> promises = PromisesOf(fleet, one);
    for (Promise& promise : promises) promise.alternative = one.alternative;
    if (!promises.empty()) return promises;
  }
  return {};
}

}  // namespace baton::policy
