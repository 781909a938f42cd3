#include "trainer/optim/rmsprop.h"

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

UpdateRule RmsProp::RuleOf(int64_t /*step*/, double lr) const {
  return RmsPropRule{static_cast<float>(lr), alpha_, rest_, epsilon_, momentum_, weight_decay_};
}

void RmsProp::ApplyTo(size_t begin, size_t count, float* weights, const float* gradient,
                      int64_t step, double lr) {
  const auto rule = std::get<RmsPropRule>(RuleOf(step, lr));
  float* __restrict w = weights;
  const float* __restrict g = gradient;
  float* __restrict v = state_[0].values.data() + begin;
  if (momentum_ == 0) {
    for (size_t i = 0; i < count; ++i) rule.Plain(g[i], w[i], v[i]);
    return;
  }
  float* __restrict m = state_[1].values.data() + begin;
  for (size_t i = 0; i < count; ++i) rule.Momentum(g[i], w[i], v[i], m[i]);
}

}  // namespace baton::trainer
