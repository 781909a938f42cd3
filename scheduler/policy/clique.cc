#include "scheduler/policy/clique.h"

namespace baton::policy {

bool ReachEachOther(const Fleet& fleet, const NodeRoom& a, const NodeRoom& b) {
  return &a == &b || (fleet.reach() != nullptr && fleet.reach()->Mutual(a.slot, b.slot));
}

bool Clique::TryAdd(const NodeRoom& room) {
  if (size_ > 0 && !state::HasBit(common_, room.slot)) return false;
  state::Reach::Bits reached =
      reach_ == nullptr ? state::Reach::Bits() : reach_->MutualOf(room.slot);
  if (size_ == 0) {
    common_ = std::move(reached);
  } else {
    state::AndWith(&common_, reached);
  }
  ++size_;
  return true;
}

std::vector<size_t> CliqueAround(const Fleet& fleet, const std::vector<const NodeRoom*>& rooms,
                                 size_t seed) {
  Clique clique(fleet);
  clique.TryAdd(*rooms[seed]);
  std::vector<size_t> picked;
  for (size_t i = 0; i < rooms.size(); ++i) {
    if (i == seed || clique.TryAdd(*rooms[i])) picked.push_back(i);
  }
  return picked;
}

}  // namespace baton::policy
