#include "trainer/optim/sgd.h"

#include "trainer/numeric/wide.h"

namespace baton::trainer {
namespace {

BATON_WIDE void UpdateRows(const Optimizer::Rows& rows, float rate, float scale, float* table) {
  const float* __restrict g = rows.gradient->values.data();
  for (const int32_t id : rows.gradient->ids) {
    float* __restrict w = table + static_cast<size_t>(id) * rows.width;
    for (size_t c = 0; c < rows.width; ++c) w[c] -= rate * (g[c] * scale);
    g += rows.width;
  }
}

}  // namespace

Sgd::Sgd(const spec::Optimizer& options, size_t parameter_count)
    : Optimizer(options, parameter_count),
      momentum_(static_cast<float>(options.momentum)),
      weight_decay_(static_cast<float>(options.weight_decay)),
      nesterov_(options.nesterov) {
  // Without momentum the vector would only repeat the gradient, and cost a checkpoint its size.
  if (momentum_ != 0) AddState("momentum");
}

UpdateRule Sgd::RuleOf(int64_t /*step*/, double lr) const {
  return SgdRule{static_cast<float>(lr), momentum_, weight_decay_, nesterov_};
}

void Sgd::ApplyTo(size_t begin, size_t count, float* weights, const float* gradient, int64_t step,
                  double lr) {
  const auto rule = std::get<SgdRule>(RuleOf(step, lr));
  float* __restrict w = weights;
  const float* __restrict g = gradient;
  if (momentum_ == 0) {
    for (size_t i = 0; i < count; ++i) rule.Plain(g[i], w[i]);
    return;
  }
  float* __restrict v = state_[0].values.data() + begin;
  if (nesterov_) {
    for (size_t i = 0; i < count; ++i) rule.Nesterov(g[i], w[i], v[i]);
  } else {
    for (size_t i = 0; i < count; ++i) rule.Momentum(g[i], w[i], v[i]);
  }
}

void Sgd::ApplyToRows(const Rows& rows, float scale, float* weights, int64_t /*step*/, double lr) {
  UpdateRows(rows, static_cast<float>(lr), scale, weights + rows.begin);
}

}  // namespace baton::trainer
