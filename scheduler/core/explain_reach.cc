// Why there is room enough for a gang, but not on nodes that reach each other.
#include <vector>

#include "absl/strings/str_cat.h"
#include "scheduler/core/machine.h"
#include "scheduler/policy/clique.h"

namespace baton::core {
namespace {

using policy::NodeRoom;
using state::Reach;

constexpr int64_t kLookedAtMax = 20'000;  // pairs

}  // namespace

std::string Machine::UnreachedWords(const state::NodeId& from, const state::NodeId& to) const {
  const state::NodeOffer& offer = state_.nodes.at(to).offer;
  const std::string address = policy::DataAddress(offer);
  const bool six = address.find(':') != std::string::npos;
  const std::string at =
      absl::StrCat(six ? "[" : "", address, six ? "]" : "", ":", offer.probe_port);
  if (state_.reach.Ask(from, to) == Reach::Seen::kFailed) {
    const std::string error = state_.reach.Error(from, to);
    return absl::StrCat("node ", NodeName(from), " can't reach node ", NodeName(to), " at ", at,
                        error.empty() ? "" : ": ", error,
                        "; open TCP between nodes or set --data-address");
  }
  for (const state::NodeId& node : {from, to}) {
    if (state_.reach.SlotOf(node) >= 0 || !state_.nodes.at(node).up) continue;
    return absl::StrCat("node ", NodeName(node), " answers no probes: its worker (version ",
                        state_.nodes.at(node).offer.version,
                        ") is older than the scheduler, or could not listen at its data address, "
                        "which its log then says; --data-address takes an IP address");
  }
  return absl::StrCat("node ", NodeName(to), " at ", at, " is not probed yet from node ",
                      NodeName(from));
}

// A pair that failed says more than one that was not probed yet.
std::string Machine::ReachWords(const policy::Ask& ask) const {
  std::vector<const NodeRoom*> rooms;
  bool loopback = false;
  for (const NodeRoom* room : fleet_.open()) {
    if (policy::RanksHere(*room, ask, ask.spec->ranks_max) == 0) continue;
    if (policy::IsReachable(room->node->offer)) {
      rooms.push_back(room);
    } else {
      loopback = true;
    }
  }
  std::string words;
  int64_t looked_at = 0;
  bool failed = false;
  for (const NodeRoom* a : rooms) {
    for (const NodeRoom* b : rooms) {
      if (failed || ++looked_at > kLookedAtMax) break;
      const state::NodeId& from = a->node->offer.id;
      const state::NodeId& to = b->node->offer.id;
      const Reach::Seen seen = state_.reach.Ask(from, to);
      if (a == b || seen == Reach::Seen::kReached) continue;
      failed = seen == Reach::Seen::kFailed;
      if (failed || words.empty()) words = UnreachedWords(from, to);
    }
  }
  if (loopback || words.empty()) {
    absl::StrAppend(&words, words.empty() ? "" : "; ",
                    loopback ? "a gang of several machines needs a data address on each that is "
                               "not loopback"
                             : "a gang needs nodes that all do");
  }
  return absl::StrCat(", but not on nodes that reach each other: ", words,
                      ask.spec->shards > 0 ? ", and one device kind" : "");
}

}  // namespace baton::core
