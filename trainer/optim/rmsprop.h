// RMSProp: Tieleman, Hinton, "Lecture 6.5", Coursera 2012, as torch.optim.RMSprop (not centered):
//   g += weight_decay * w;  v = alpha * v + (1 - alpha) * g^2;  d = g / (sqrt(v) + epsilon)
//   m = momentum * m + d;  w -= lr * m (without momentum: d)
#pragma once

#include <cstddef>
#include <cstdint>

#include "trainer/optim/optimizer.h"

namespace baton::trainer {

class RmsProp : public Optimizer {
 public:
  RmsProp(const spec::Optimizer& options, size_t parameter_count);

  UpdateRule RuleOf(int64_t step, double lr) const override;

 private:
  void ApplyTo(size_t begin, size_t count, float* weights, const float* gradient, int64_t step,
               double lr) override;

  float alpha_, rest_;
  float epsilon_;
  float momentum_;
  float weight_decay_;
};

}  // namespace baton::trainer
