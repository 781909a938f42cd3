#include "trainer/optim/adam.h"

#include <cmath>

#include "trainer/numeric/power.h"

namespace baton::trainer {

Adam::Adam(const spec::Optimizer& options, size_t parameter_count)
    : Optimizer(options, parameter_count),
      beta1_(options.beta1),
      beta2_(options.beta2),
      epsilon_(static_cast<float>(options.epsilon)),
      weight_decay_(static_cast<float>(options.weight_decay)),
      decoupled_(options.kind == spec::Optimizer::Kind::kAdamW) {
  AddState("adam_m");
  AddState("adam_v");
}

UpdateRule Adam::RuleOf(int64_t step, double lr) const {
  AdamRule rule{};
  rule.beta1 = static_cast<float>(beta1_);
  rule.rest1 = static_cast<float>(1 - beta1_);
  rule.beta2 = static_cast<float>(beta2_);
  rule.rest2 = static_cast<float>(1 - beta2_);
  // Powers of the step alone, so that a resumed run has no product to store.
  rule.rate = static_cast<float>(lr / (1 - Power(beta1_, step)));
  rule.correction = static_cast<float>(std::sqrt(1 - Power(beta2_, step)));
  rule.epsilon = epsilon_;
  rule.kept = decoupled_ ? static_cast<float>(1 - lr * double{weight_decay_}) : 1;
  rule.decay = decoupled_ ? 0 : weight_decay_;
  return rule;
}

void Adam::ApplyTo(size_t begin, size_t count, float* weights, const float* gradient, int64_t step,
                   double lr) {
  const auto rule = std::get<AdamRule>(RuleOf(step, lr));
  float* __restrict w = weights;
  const float* __restrict g = gradient;
  float* __restrict m = state_[0].values.data() + begin;
  float* __restrict v = state_[1].values.data() + begin;
  if (decoupled_) {
    for (size_t i = 0; i < count; ++i) w[i] *= rule.kept;
  }
  for (size_t i = 0; i < count; ++i) rule(g[i], w[i], m[i], v[i]);
}

// In the order of operations of torch.optim.SparseAdam: unlike Adam's, its epsilon is not divided
// by the correction.
void Adam::ApplyToRows(const Rows& rows, float scale, float* weights, int64_t step, double lr) {
  const auto rest1 = static_cast<float>(1 - beta1_), rest2 = static_cast<float>(1 - beta2_);
  const auto rate =
      static_cast<float>(lr * std::sqrt(1 - Power(beta2_, step)) / (1 - Power(beta1_, step)));
  const float* __restrict g = rows.gradient->values.data();
  for (const int32_t id : rows.gradient->ids) {
    const size_t at = rows.begin + static_cast<size_t>(id) * rows.width;
    float* __restrict w = weights + at;
    float* __restrict m = state_[0].values.data() + at;
    float* __restrict v = state_[1].values.data() + at;
    for (size_t c = 0; c < rows.width; ++c) {
      const float value = g[c] * scale;
      m[c] += rest1 * (value - m[c]);
      v[c] += rest2 * (value * value - v[c]);
      w[c] -= rate * (m[c] / (std::sqrt(v[c]) + epsilon_));
    }
    g += rows.width;
  }
}

}  // namespace baton::trainer
