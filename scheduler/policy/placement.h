// Where an attempt's ranks go: all of them, any number in the job's range, together or none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "scheduler/policy/fleet.h"
#include "scheduler/policy/rescale.h"
#include "scheduler/state/job.h"

namespace baton::policy {

// What a job needs of the fleet now.
struct Ask {
  state::JobId job;
  std::shared_ptr<const state::JobSpec> spec;
  std::string device_kind;          // empty: any
  std::set<state::NodeId> avoid;    // a start failed there: only if there is no other way
  bool on_demand_only = false;      // whatever the spec allows (progress.h)
  std::set<state::JobId> honoured;  // promises to these jobs are left alone
  int32_t alternative = 0;          // of the spec's any_of, where one is asked for

  const state::Resources& need() const { return state::NeedOf(*spec, alternative); }
};

struct RankPlace {
  state::NodeId node;
  std::vector<int32_t> gpus;
};

struct Placement {
  std::vector<RankPlace> ranks;  // ranks of one node are neighbours
  int32_t alternative = 0;       // of the spec's any_of
};

// Each node is labelled with its name, too.
inline constexpr char kNodeLabel[] = "node";
bool HasLabel(const state::NodeOffer& offer, const state::Label& wanted);

// Why a node can't take a single rank of a job by the alternative that is asked for, or not all
// that it wants on a node; the first that applies.
enum class WhyNot : uint8_t {
  kNothing,   // it can
  kTooSmall,  // even empty
  kGpuType,   // no GPU of that type or memory
  kDisk,      // less disk free than asked for, when its worker joined
  kDown,
  kDrained,
  kNotice,
  kCapacity,  // spot where on-demand is asked for, or the reverse
  kLabel,
  kDeviceKind,  // the job has begun on another kind of device
  kUnheard,     // not heard of since the scheduler's start
  kBusy,
  kPromised,  // free, but kept for a job that is earlier in the queue
};
WhyNot WhyNotHere(const NodeRoom& room, const Ask& ask);

// The fewest ranks that a node may hold: all that the spec wants on each of its nodes, or one.
int32_t RankUnit(const state::JobSpec& spec);

// World sizes that the spec allows.
WorldRange RangeOf(const state::JobSpec& spec);

// Ranks that fit on the node now, all constraints but `avoid` considered; at most `limit`. With
// ranks_per_node set: so many, or none.
int32_t RanksHere(const NodeRoom& room, const Ask& ask, int32_t limit);

// Prefers, in this order: the alternative that stands first; the world size that ChooseWorldSize
// picks; one rank per node over several (a rank per machine is fastest), unless the spec says how
// many; nodes that are not to be avoided; cheaper nodes, where one that lacks the
// job's data counts as a tenth dearer; nodes that have the data; lower ids. A gang of several nodes
// only among nodes that all reach each other (Fleet::reach, or one machine) and, for a native job,
// of one device kind. Such nodes are picked greedily, from several beginnings (clique.h). nullopt:
// not now; then `reach_matters` (may be null) is set if there is room enough, but not found on
// nodes that reach each other: any change may mend that, less room elsewhere too.
std::optional<Placement> Place(const Fleet& fleet, const Ask& ask, bool* reach_matters = nullptr);

// Nodes that can form one gang, as far as they reach each other; a node may be in several.
struct GangGroup {
  std::string name;
  bool by_network = false;  // each pair has to be shown to reach each other; else it is one machine
};
std::vector<GangGroup> GangGroups(const Fleet& fleet, const state::NodeOffer& offer,
                                  const state::JobSpec& spec);

}  // namespace baton::policy
