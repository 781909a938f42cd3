// Stochastic gradient descent with momentum, as torch.optim.SGD (dampening 0):
//   g += weight_decay * w;  v = momentum * v + g;  w -= lr * (nesterov ? g + momentum * v : v)
#pragma once

#include <cstddef>
#include <cstdint>

#include "trainer/optim/optimizer.h"

namespace baton::trainer {

class Sgd : public Optimizer {
 public:
  Sgd(const spec::Optimizer& options, size_t parameter_count);

  UpdateRule RuleOf(int64_t step, double lr) const override;

 private:
  void ApplyTo(size_t begin, size_t count, float* weights, const float* gradient, int64_t step,
               double lr) override;
  void ApplyToRows(const Rows& rows, float scale, float* weights, int64_t step, double lr) override;

  float momentum_;
  float weight_decay_;
  bool nesterov_;
};

}  // namespace baton::trainer
