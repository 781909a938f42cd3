#include "trainer/checkpoint/snapshot.h"

namespace baton::trainer {

void Snapshot::Take(absl::Span<const float> live_weights,
                    const std::vector<Optimizer::StateVector>& live_optimizer) {
  weights.assign(live_weights.begin(), live_weights.end());
  optimizer.resize(live_optimizer.size());
  for (size_t i = 0; i < live_optimizer.size(); ++i) {
    optimizer[i].name = live_optimizer[i].name;
    optimizer[i].values.assign(live_optimizer[i].values.begin(), live_optimizer[i].values.end());
  }
}

}  // namespace baton::trainer
