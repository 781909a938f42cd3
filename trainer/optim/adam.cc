#include "trainer/optim/adam.h"

#include <cmath>

#include "common/check.h"
#include "trainer/optim/power.h"

namespace baton::trainer {

Adam::Adam(const spec::Optimizer& options, size_t parameter_count)
    : Optimizer(parameter_count),
      beta1_(options.beta1),
      beta2_(options.beta2),
      epsilon_(static_cast<float>(options.epsilon)),
      weight_decay_(static_cast<float>(options.weight_decay)) {
  AddState("adam_m");
  AddState("adam_v");
}

void Adam::Apply(absl::Span<float> weights, absl::Span<const float> gradient, int64_t step,
                 double lr) {
  CheckSizes(weights, gradient);
  BATON_CHECK(step >= 1, "Adam counts its steps from 1");
  const auto beta1 = static_cast<float>(beta1_), beta2 = static_cast<float>(beta2_);
  const auto rest1 = static_cast<float>(1 - beta1_), rest2 = static_cast<float>(1 - beta2_);
  // Powers of the step alone, so that a resumed run has no product to store.
  const auto rate = static_cast<float>(lr / (1 - Power(beta1_, step)));
  // IEEE 754 rounds a square root correctly, so it is the same on every CPU.
  const auto correction = static_cast<float>(std::sqrt(1 - Power(beta2_, step)));
  const size_t count = weights.size();
  float* __restrict w = weights.data();
  const float* __restrict g = gradient.data();
  float* __restrict m = state_[0].values.data();
  float* __restrict v = state_[1].values.data();
  for (size_t i = 0; i < count; ++i) {
    const float decayed = g[i] + weight_decay_ * w[i];
    m[i] = beta1 * m[i] + rest1 * decayed;
    v[i] = beta2 * v[i] + rest2 * decayed * decayed;
    w[i] -= rate * (m[i] / (std::sqrt(v[i]) / correction + epsilon_));
  }
}

}  // namespace baton::trainer
