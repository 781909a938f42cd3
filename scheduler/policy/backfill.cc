#include "scheduler/policy/backfill.h"

#include <algorithm>
#include <map>

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

// Each holds `unit` ranks at least, so that no more than the best ranks / unit nodes can matter.
std::vector<Promise> Fill(std::vector<Candidate> nodes, int32_t ranks, int32_t unit) {
  const size_t most = std::min(nodes.size(), static_cast<size_t>(ranks / unit));
  std::partial_sort(nodes.begin(), nodes.begin() + static_cast<ptrdiff_t>(most), nodes.end(),
                    [](const Candidate& a, const Candidate& b) {
                      if (a.free_now != b.free_now) return a.free_now;
                      return Preference()(a.room, b.room);
                    });
  nodes.resize(most);
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

std::vector<Promise> PromisesOf(const Fleet& fleet, const Ask& ask) {
  std::map<std::string, std::vector<Candidate>> groups;
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
      groups[""].push_back(candidate);
      continue;
    }
    for (const std::string& name : GangGroups(fleet, room.node->offer, *ask.spec)) {
      groups[name].push_back(candidate);
    }
  }
  for (auto& [name, nodes] : groups) {
    std::vector<Promise> promises = Fill(std::move(nodes), ranks, unit);
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
