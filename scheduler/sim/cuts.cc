#include "scheduler/sim/cuts.h"

namespace baton::sim {

void Cuts::Begin(std::vector<state::NodeId> nodes) {
  nodes_ = std::move(nodes);
  if (context_.chaos.cut_every_ms > 0) Book();
}

void Cuts::Book() {
  context_.agenda.In(context_.random.Between(0, 2 * context_.chaos.cut_every_ms), [this] {
    if (healed_) return;
    Random& random = context_.random;
    const int64_t duration_ms = random.Between(1'000, 120'000);
    if (random.Chance(1, 3)) {
      context_.probes.Hit("network parted");
      std::vector<bool> side;
      for (size_t i = 0; i < nodes_.size(); ++i) side.push_back(random.Chance(1, 2));
      for (size_t a = 0; a < nodes_.size(); ++a) {
        for (size_t b = 0; b < nodes_.size(); ++b) {
          if (side[a] != side[b]) Break({nodes_[a], nodes_[b]}, duration_ms);
        }
      }
    } else {
      const Pair pair(nodes_[random.Below(nodes_.size())], nodes_[random.Below(nodes_.size())]);
      context_.probes.Hit("pair of nodes cut off");
      Break(pair, duration_ms);
      if (random.Chance(1, 2)) Break({pair.second, pair.first}, duration_ms);
    }
    Book();
  });
}

void Cuts::Break(const Pair& pair, int64_t duration_ms) {
  ++cut_[pair];
  on_cut_(pair.first, pair.second);
  context_.agenda.In(duration_ms, [this, pair] {
    const auto cut = cut_.find(pair);
    if (cut != cut_.end() && --cut->second == 0) cut_.erase(cut);
  });
}

void Cuts::Heal() {
  healed_ = true;
  cut_.clear();
}

}  // namespace baton::sim
