#include "trainer/optim/adam.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "trainer/numeric/power.h"
#include "trainer/numeric/wide.h"

namespace baton::trainer {
namespace {

struct RowRule {
  float rest1, rest2;  // 1 - beta
  float rate, epsilon;
  float scale;  // of the gradient
};

// In the order of operations of torch.optim.SparseAdam: unlike Adam's, its epsilon is not divided
// by the correction. Rows that come soon are fetched meanwhile.
BATON_WIDE void UpdateRows(const Optimizer::Rows& rows, const RowRule& rule, float* weights,
                           float* first, float* second) {
  constexpr size_t kAhead = 2;
  constexpr size_t kLine = 16;  // floats
  const std::vector<int32_t>& ids = rows.gradient->ids;
  const float* __restrict g = rows.gradient->values.data();
  for (size_t i = 0; i < ids.size(); ++i, g += rows.width) {
    const size_t next = static_cast<size_t>(ids[std::min(i + kAhead, ids.size() - 1)]) * rows.width;
    for (size_t c = 0; c < rows.width; c += kLine) {
      __builtin_prefetch(weights + next + c, 1);
      __builtin_prefetch(first + next + c, 1);
      __builtin_prefetch(second + next + c, 1);
    }
    const size_t at = static_cast<size_t>(ids[i]) * rows.width;
    float* __restrict w = weights + at;
    float* __restrict m = first + at;
    float* __restrict v = second + at;
    for (size_t c = 0; c < rows.width; ++c) {
      const float value = g[c] * rule.scale;
      m[c] += rule.rest1 * (value - m[c]);
      v[c] += rule.rest2 * (value * value - v[c]);
      w[c] -= rule.rate * (m[c] / (std::sqrt(v[c]) + rule.epsilon));
    }
  }
}

}  // namespace

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

void Adam::ApplyToRows(const Rows& rows, float scale, float* weights, int64_t step, double lr) {
  const RowRule rule{
      static_cast<float>(1 - beta1_), static_cast<float>(1 - beta2_),
      static_cast<float>(lr * std::sqrt(1 - Power(beta2_, step)) / (1 - Power(beta1_, step))),
      epsilon_, scale};
  UpdateRows(rows, rule, weights + rows.begin, state_[0].values.data() + rows.begin,
             state_[1].values.data() + rows.begin);
}

}  // namespace baton::trainer
