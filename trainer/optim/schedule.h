// The learning rate as a pure function of the step.
#pragma once

#include <cstdint>

#include "common/spec/optimizer.h"

namespace baton::trainer {

// The run that a rate belongs to; both at least 1.
struct RunLength {
  int64_t steps_total = 1;
  int64_t steps_per_epoch = 1;
};

// The rate of step `step` (0-based, below steps_total). With a warm-up of w steps, step s < w gets
// (s + 1) / w of the base rate; a cosine then runs over the steps that are left, and would reach
// lr_min one step after the last. The bits are the same on every
// CPU: the cosine is our own polynomial, since libm picks fused multiply-add variants by CPU.
double LearningRate(const spec::Optimizer& options, int64_t step, const RunLength& run);

}  // namespace baton::trainer
