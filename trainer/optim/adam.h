// Adam: Kingma, Ba, "Adam: A method for stochastic optimization", ICLR'15, algorithm 1, with the
// order of operations of torch.optim.Adam (L2 weight decay, no AMSGrad). AdamW: Loshchilov, Hutter,
// "Decoupled weight decay regularization", ICLR'19, algorithm 2, as torch.optim.AdamW.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trainer/optim/optimizer.h"

namespace baton::trainer {

class Adam : public Optimizer {
 public:
  Adam(const spec::Optimizer& options, size_t parameter_count);

  UpdateRule RuleOf(int64_t step, double lr) const override;

 private:
  void ApplyTo(size_t begin, size_t count, float* weights, const float* gradient, int64_t step,
               double lr) override;
  void ApplyToRows(const Rows& rows, float scale, float* weights, int64_t step, double lr) override;

  double beta1_, beta2_;
  float epsilon_;
  float weight_decay_;
  bool decoupled_;  // AdamW
};

}  // namespace baton::trainer
