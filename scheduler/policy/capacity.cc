#include "scheduler/policy/capacity.h"

namespace baton::policy {

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

}  // namespace baton::policy
