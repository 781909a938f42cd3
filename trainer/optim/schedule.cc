#include "trainer/optim/schedule.h"

#include <algorithm>
#include <cstdint>

#include "common/check.h"
#include "trainer/numeric/portable_math.h"
#include "trainer/numeric/power.h"

namespace baton::trainer {

double LearningRate(const spec::Optimizer& options, int64_t step, const RunLength& run) {
  BATON_CHECK(step >= 0 && run.steps_total >= 1 && run.steps_per_epoch >= 1, "step out of the run");
  const spec::Schedule& schedule = options.schedule;
  const int64_t warmup = schedule.warmup_steps;
  if (step < warmup) {
    return options.lr * static_cast<double>(step + 1) / static_cast<double>(warmup);
  }
  switch (schedule.kind) {
    case spec::Schedule::Kind::kConstant:
      return options.lr;
    case spec::Schedule::Kind::kStep:
      return options.lr *
             Power(schedule.factor, step / run.steps_per_epoch / schedule.every_epochs);
    case spec::Schedule::Kind::kCosine: {
      const double steps = static_cast<double>(std::max<int64_t>(1, run.steps_total - warmup));
      const double progress = std::min(1.0, static_cast<double>(step - warmup) / steps);
      return schedule.lr_min + (options.lr - schedule.lr_min) * (1 + CosinePi(progress)) / 2;
    }
  }
  BATON_CHECK(false, "unknown schedule");
}

}  // namespace baton::trainer
