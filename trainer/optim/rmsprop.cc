#include "trainer/optim/rmsprop.h"

#include <cmath>

namespace baton::trainer {

RmsProp::RmsProp(const spec::Optimizer& options, size_t parameter_count)
    : Optimizer(options, parameter_count),
      alpha_(static_cast<float>(options.alpha)),
      rest_(static_cast<float>(1 - options.alpha)),
      epsilon_(static_cast<float>(options.epsilon)),
      momentum_(static_cast<float>(options.momentum)),
      weight_decay_(static_cast<float>(options.weight_decay)) {
  AddState("rmsprop_v");
  if (momentum_ != 0) AddState("momentum");
}

void RmsProp::ApplyTo(size_t begin, size_t count, float* weights, const float* gradient,
                      int64_t /*step*/, double lr) {
  const auto rate = static_cast<float>(lr);
  float* __restrict w = weights;
  const float* __restrict g = gradient;
  float* __restrict v = state_[0].values.data() + begin;
  float* __restrict m = momentum_ != 0 ? state_[1].values.data() + begin : nullptr;
  for (size_t i = 0; i < count; ++i) {
    const float decayed = g[i] + weight_decay_ * w[i];
    v[i] = alpha_ * v[i] + rest_ * decayed * decayed;
    const float direction = decayed / (std::sqrt(v[i]) + epsilon_);
    if (m == nullptr) {
      w[i] -= rate * direction;
      continue;
    }
    m[i] = momentum_ * m[i] + direction;
    w[i] -= rate * m[i];
  }
}

}  // namespace baton::trainer
