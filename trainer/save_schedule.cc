#include "trainer/save_schedule.h"

#include <algorithm>

namespace baton::trainer {
namespace {

constexpr int64_t kFirstMs = 500;
constexpr int64_t kShortestMs = 2000;
constexpr int64_t kLongestMs = 10 * 60 * 1000;
constexpr double kCostRatio = 100;

}  // namespace

SaveSchedule::SaveSchedule(const spec::CheckpointPolicy& policy, int64_t now_ms)
    : every_steps_(policy.every_steps),
      every_ms_(policy.every_ms),
      begun_ms_(now_ms),
      interval_ms_(policy.every_ms > 0 ? policy.every_ms : kFirstMs) {}

bool SaveSchedule::Due(int64_t step, int64_t now_ms) const {
  if (every_steps_ > 0 && step % every_steps_ == 0) return true;
  if (every_steps_ > 0 && every_ms_ == 0) return false;
  return now_ms - begun_ms_ >= interval_ms_;
}

void SaveSchedule::Begun(int64_t now_ms) { begun_ms_ = now_ms; }

void SaveSchedule::Ended(double write_s) {
  if (every_ms_ > 0) return;
  const double by_cost_ms = std::min(write_s * kCostRatio * 1000, static_cast<double>(kLongestMs));
  interval_ms_ = std::max(kShortestMs, static_cast<int64_t>(by_cost_ms));
}

}  // namespace baton::trainer
