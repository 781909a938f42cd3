#include "trainer/early_stopping.h"

namespace baton::trainer {

bool EarlyStopping::Judge(int64_t step, double loss) {
  if (step == best_.judged_step) return false;
  best_.judged_step = step;
  const bool better = best_.step == 0 || loss < best_.loss - rule_.min_delta;
  if (!better) {
    ++best_.worse;
    return false;
  }
  best_.step = step;
  best_.loss = loss;
  best_.worse = 0;
  return true;
}

}  // namespace baton::trainer
