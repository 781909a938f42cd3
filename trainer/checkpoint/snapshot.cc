#include "trainer/checkpoint/snapshot.h"

namespace baton::trainer {

void Snapshot::Take(absl::Span<const float> live_weights,
                    const std::vector<Optimizer::StateVector>& live_optimizer) {
  weights.assign(live_weights.begin(), live_weights.end());
  optimizer.resize(live_optimizer.size());
  for (size_t i = 0; i < live_optimizer.size(); ++i) {
    const absl::Span<const float> live = live_optimizer[i].values.span();
    optimizer[i].name = live_optimizer[i].name;
    optimizer[i].values.assign(live.begin(), live.end());
  }
  viewed_.clear();
}

void Snapshot::View(absl::Span<const float> live_weights,
                    const std::vector<Optimizer::StateVector>& live_optimizer) {
  viewed_ = {{"weights", live_weights}};
  for (const Optimizer::StateVector& vector : live_optimizer) {
    viewed_.push_back({vector.name, vector.values.span()});
  }
}

std::vector<Snapshot::Part> Snapshot::Parts() const {
  std::vector<Part> parts = viewed_;
  if (parts.empty()) {
    parts.push_back({"weights", weights});
    for (const Vector& vector : optimizer) parts.push_back({vector.name, vector.values});
  }
  if (best && best->step > 0) parts.push_back({kBestVector, best_weights});
  return parts;
}

}  // namespace baton::trainer
