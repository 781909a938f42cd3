#include "trainer/save_schedule.h"

#include <algorithm>
#include <cmath>

namespace baton::trainer {
namespace {

constexpr int64_t kFirstMs = 500;
constexpr double kCostRatio = 100;

}  // namespace

double BestIntervalS(double write_s, double mtbf_s) {
  // Who is lost before a save is done can't win by saving more often.
  if (write_s >= 2 * mtbf_s) return mtbf_s;
  const double part = write_s / (2 * mtbf_s);
  return std::sqrt(2 * write_s * mtbf_s) * (1 + std::sqrt(part) / 3 + part / 9) - write_s;
}

SaveSchedule::SaveSchedule(const spec::CheckpointPolicy& policy, int64_t mtbf_ms, int64_t now_ms)
    : policy_(policy),
      every_steps_(policy.every_steps),
      every_ms_(policy.every_ms),
      mtbf_ms_(mtbf_ms),
      begun_ms_(now_ms),
      interval_ms_(policy.every_ms > 0 ? policy.every_ms : kFirstMs) {}

bool SaveSchedule::Due(int64_t step, int64_t now_ms) const {
  if (asked_) return true;
  if (every_steps_ > 0 && step % every_steps_ == 0) return true;
  if (every_steps_ > 0 && every_ms_ == 0) return false;
  return now_ms - begun_ms_ >= interval_ms_;
}

void SaveSchedule::Begun(int64_t now_ms) {
  begun_ms_ = now_ms;
  asked_ = false;
}

void SaveSchedule::Ended(double write_s) {
  if (every_ms_ > 0) return;
  const double interval_ms =
      mtbf_ms_ > 0 ? BestIntervalS(write_s, static_cast<double>(mtbf_ms_) / 1000) * 1000
                   : write_s * kCostRatio * 1000;
  // Both ends fit an integer, what is between them too.
  interval_ms_ =
      static_cast<int64_t>(std::clamp(interval_ms, static_cast<double>(policy_.at_least_ms),
                                      static_cast<double>(policy_.at_most_ms)));
}

}  // namespace baton::trainer
