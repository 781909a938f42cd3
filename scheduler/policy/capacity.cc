#include "scheduler/policy/capacity.h"

namespace baton::policy {
namespace {

constexpr int kFruitlessAttemptsMax = 3;

}  // namespace

bool CapacityAllows(state::Capacity capacity, const state::NodeOffer& offer) {
  switch (capacity) {
    case state::Capacity::kSpot:
      return offer.spot;
    case state::Capacity::kOnDemand:
      return !offer.spot;
    case state::Capacity::kAuto:
      return true;
  }
  return true;
}

bool PrefersOnDemand(state::Capacity capacity, const state::JobHistory* history) {
  if (capacity != state::Capacity::kAuto || history == nullptr) return false;
  const int32_t newest = history->checkpoints.empty() ? 0 : history->checkpoints.back().attempt;
  int fruitless = 0;
  for (auto a = history->attempts.rbegin(); a != history->attempts.rend(); ++a) {
    const bool taken =
        a->cause == state::EndCause::kPreempted || a->cause == state::EndCause::kNodeLost;
    if (!taken || a->number <= newest) break;
    if (++fruitless == kFruitlessAttemptsMax) return true;
  }
  return false;
}

}  // namespace baton::policy
