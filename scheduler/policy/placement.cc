#include "scheduler/policy/placement.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "scheduler/policy/capacity.h"
#include "scheduler/policy/clique.h"
#include "scheduler/policy/node_order.h"
#include "scheduler/policy/spread.h"

namespace baton::policy {
namespace {

// Best first. Of nodes that have to reach each other `members` is a clique of `all`.
struct Group {
  std::vector<NodeFit> members;
  int64_t ranks = 0;  // of the members
  std::vector<NodeFit> all;
  int64_t all_ranks = 0;
  bool by_network = false;
};

bool HasLabels(const state::NodeOffer& offer, const std::vector<state::Label>& require) {
  return std::all_of(require.begin(), require.end(),
                     [&](const state::Label& label) { return HasLabel(offer, label); });
}

bool CapacityFits(const Ask& ask, const state::NodeOffer& offer) {
  return CapacityAllows(ask.on_demand_only ? state::Capacity::kOnDemand : ask.spec->capacity,
                        offer);
}

bool Allowed(const NodeRoom& room, const Ask& ask) {
  const state::NodeOffer& offer = room.node->offer;
  return CapacityFits(ask, offer) &&
         (ask.device_kind.empty() || offer.device_kind == ask.device_kind) &&
         HasLabels(offer, ask.spec->require);
}

// What is left when the room promised to an earlier job is set aside.
int32_t RanksBesidePromise(const NodeRoom& room, const Ask& ask, int32_t limit) {
  const state::Node& node = *room.node;
  const bool promised = room.promised_spec != nullptr && node.promised_to != ask.job &&
                        ask.honoured.count(node.promised_to) != 0;
  if (!promised) return RanksThatFit(room, ask.need(), limit);
  const state::Resources& kept = state::NeedOf(*room.promised_spec, node.promised_alternative);
  NodeRoom left = room;
  left.cpus_milli -= int64_t{kept.cpus_milli} * node.promised_ranks;
  left.memory_bytes -= kept.memory_bytes * node.promised_ranks;
  left.disk_bytes -= kept.disk_bytes * node.promised_ranks;
  if (kept.gpus > 0) {
    const int32_t held = RanksThatFit(room, kept, node.promised_ranks);
    for (const int32_t gpu : PickGpus(room, kept, held)) {
      left.gpus.erase(std::find(left.gpus.begin(), left.gpus.end(), gpu));
    }
  }
  return RanksThatFit(left, ask.need(), limit);
}

int32_t SizeOf(const WorldRange& range, int64_t ranks) {
  return ChooseWorldSize(range, static_cast<int32_t>(std::min<int64_t>(ranks, range.ranks_max)));
}

// Whether size `a` is faster than `b`; 0 is none at all.
bool Faster(const WorldRange& range, int32_t a, int32_t b) {
  return a > 0 && (b == 0 || StepLength(range, a) < StepLength(range, b));
}

const Group* Best(const std::map<std::string, Group>& groups, const WorldRange& range) {
  const Group* best = nullptr;
  int32_t best_size = 0;
  for (const auto& [name, group] : groups) {
    const int32_t size = SizeOf(range, group.ranks);
    if (!Faster(range, size, best_size)) continue;
    best = &group;
    best_size = size;
  }
  return best;
}

// The clique around the best node is not as large as the group: one around another may be larger.
void TryOtherSeeds(const Fleet& fleet, const WorldRange& range, Group* group) {
  const int32_t bound = SizeOf(range, group->all_ranks);
  int32_t size = SizeOf(range, group->ranks);
  std::vector<const NodeRoom*> rooms;
  std::vector<bool> covered;
  size_t at = 0;
  for (const NodeFit& member : group->all) {
    const bool in = at < group->members.size() && group->members[at].room == member.room;
    at += in ? 1 : 0;
    covered.push_back(in);
    rooms.push_back(member.room);
  }
  int tried = 0;
  for (size_t seed = 0; seed < rooms.size() && tried < kSeedsMax; ++seed) {
    if (!Faster(range, bound, size)) return;
    if (covered[seed]) continue;
    ++tried;
    std::vector<NodeFit> members;
    int64_t ranks = 0;
    for (const size_t i : CliqueAround(fleet, rooms, seed)) {
      covered[i] = true;
      members.push_back(group->all[i]);
      ranks += group->all[i].fit;
    }
    if (!Faster(range, SizeOf(range, ranks), size)) continue;
    size = SizeOf(range, ranks);
    group->members = std::move(members);
    group->ranks = ranks;
  }
}

// It does not fit into the empty node.
WhyNot WhyTooSmall(const state::NodeOffer& offer, const state::Resources& need, int32_t unit) {
  state::Resources less = need;
  less.disk_bytes = 0;
  if (RanksThatFitEmpty(offer, less, unit) == unit) return WhyNot::kDisk;
  less.gpus = 0;
  return RanksThatFitEmpty(offer, less, unit) < unit ? WhyNot::kTooSmall : WhyNot::kGpuType;
}

}  // namespace

bool HasLabel(const state::NodeOffer& offer, const state::Label& wanted) {
  return std::find(offer.labels.begin(), offer.labels.end(), wanted) != offer.labels.end() ||
         (wanted.key == kNodeLabel && wanted.value == offer.name);
}

std::vector<GangGroup> GangGroups(const Fleet& fleet, const state::NodeOffer& offer,
                                  const state::JobSpec& spec) {
  const std::string kind = spec.shards > 0 ? offer.device_kind : "";
  std::vector<GangGroup> groups;
  const bool reachable = IsReachable(offer);
  if (reachable) groups.push_back({.name = absl::StrCat("any/", kind), .by_network = true});
  if (!reachable || fleet.HasLoopbackOnly(offer.host_id)) {
    const std::string& host = offer.host_id.empty() ? offer.id : offer.host_id;
    groups.push_back({.name = absl::StrCat("host/", host, "/", kind)});
  }
  return groups;
}

WhyNot WhyNotHere(const NodeRoom& room, const Ask& ask) {
  const state::Node& node = *room.node;
  const state::Resources& need = ask.need();
  const int32_t unit = RankUnit(*ask.spec);
  if (RanksThatFitEmpty(node.offer, need, unit) < unit) {
    return WhyTooSmall(node.offer, need, unit);
  }
  if (!node.up) return WhyNot::kDown;
  if (node.drained) return WhyNot::kDrained;
  if (node.has_notice) return WhyNot::kNotice;
  if (!CapacityFits(ask, node.offer)) return WhyNot::kCapacity;
  if (!HasLabels(node.offer, ask.spec->require)) return WhyNot::kLabel;
  if (!Allowed(room, ask)) return WhyNot::kDeviceKind;
  if (!room.takes_work) return WhyNot::kUnheard;
  if (RanksThatFit(room, need, unit) < unit) return WhyNot::kBusy;
  if (RanksBesidePromise(room, ask, unit) < unit) return WhyNot::kPromised;
  return WhyNot::kNothing;
}

int32_t RankUnit(const state::JobSpec& spec) { return std::max(1, spec.ranks_per_node); }

WorldRange RangeOf(const state::JobSpec& spec) {
  return {.ranks_min = spec.ranks_min,
          .ranks_max = spec.ranks_max,
          .shards = spec.shards,
          .unit = RankUnit(spec)};
}

int32_t RanksHere(const NodeRoom& room, const Ask& ask, int32_t limit) {
  if (!room.takes_work || !Allowed(room, ask)) return 0;
  const int32_t each = ask.spec->ranks_per_node;
  const int32_t fit = RanksBesidePromise(room, ask, each > 0 ? each : limit);
  return fit < each ? 0 : fit;
}

namespace {

std::optional<Placement> PlaceAlternative(const Fleet& fleet, const Ask& ask, bool* reach_matters) {
  const WorldRange range = RangeOf(*ask.spec);
  std::map<std::string, Group> groups;
  std::map<std::string, Clique> cliques;
  ForEachInOrder(fleet, ask, [&](const NodeRoom& room) {
    const int32_t fit = RanksHere(room, ask, range.ranks_max);
    if (fit == 0) return true;
    if (range.ranks_max == 1) {
      groups[""].members = {{&room, 1}};
      groups[""].ranks = 1;
      return false;
    }
    bool more = true;
    for (const GangGroup& gang : GangGroups(fleet, room.node->offer, *ask.spec)) {
      Group& group = groups[gang.name];
      group.by_network = gang.by_network;
      group.all.push_back({&room, fit});
      group.all_ranks += fit;
      if (!gang.by_network || cliques.try_emplace(gang.name, fleet).first->second.TryAdd(room)) {
        group.members.push_back({&room, fit});
        group.ranks += fit;
      }
      more = more && group.members.size() < static_cast<size_t>(range.ranks_max / range.unit);
    }
    return more;
  });
  for (auto& [name, group] : groups) {
    if (group.by_network) TryOtherSeeds(fleet, range, &group);
    *reach_matters = *reach_matters || SizeOf(range, group.all_ranks) > 0;
  }
  const Group* group = Best(groups, range);
  if (group == nullptr) return std::nullopt;
  return Placement{.ranks = Spread(group->members, SizeOf(range, group->ranks),
                                   ask.spec->ranks_per_node, ask.need())};
}

}  // namespace

std::optional<Placement> Place(const Fleet& fleet, const Ask& ask, bool* reach_matters) {
  Ask one = ask;
  bool enough = false;
  for (one.alternative = 0; one.alternative < state::Alternatives(*ask.spec); ++one.alternative) {
    std::optional<Placement> placement = PlaceAlternative(fleet, one, &enough);
    if (!placement.has_value()) continue;
    placement->alternative = one.alternative;
    return placement;
  }
  if (reach_matters != nullptr) *reach_matters = enough;
  return std::nullopt;
}

}  // namespace baton::policy
