#include "worker/core/pace.h"

#include <algorithm>

namespace baton::worker {
namespace {

constexpr size_t kKept = 31;
constexpr size_t kLeast = 5;
// Of its own accord nothing is ended before both: a test on much data, a checkpoint on a slow disk.
constexpr int64_t kSteps = 20;
constexpr int64_t kLeastMs = 5 * 60 * 1000;

}  // namespace

void StepPace::Saw(int64_t step, int64_t step_ms, int64_t touched_ms, int64_t steady_ms) {
  const bool first = alive_ms_ == 0;
  if (!first && step <= step_ && touched_ms == touched_ms_) return;
  alive_ms_ = steady_ms;
  touched_ms_ = touched_ms;
  if (step <= step_) return;
  // Between two looks there may be many; the first one seen took an unknown time.
  if (step_ > 0 && step_ms >= step_ms_) {
    const int64_t each_ms = (step_ms - step_ms_) / (step - step_);
    if (newest_.size() < kKept) {
      newest_.push_back(each_ms);
    } else {
      newest_[next_++ % kKept] = each_ms;
    }
  }
  step_ = step;
  step_ms_ = step_ms;
}

int64_t StepPace::median_ms() const {
  if (newest_.size() < kLeast) return 0;
  std::vector<int64_t> sorted = newest_;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  // Quicker than can be told is still a step.
  return std::max<int64_t>(1, *middle);
}

int64_t HangLimitMs(int64_t hang_after_ms, bool native, const StepPace& pace) {
  if (hang_after_ms != 0) return std::max<int64_t>(0, hang_after_ms);
  const int64_t median_ms = pace.median_ms();
  if (!native || median_ms == 0) return 0;
  return std::max(kLeastMs, kSteps * median_ms);
}

}  // namespace baton::worker
