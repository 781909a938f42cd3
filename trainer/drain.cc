#include "trainer/drain.h"

#include <string>

#include "nlohmann/json.hpp"

namespace baton::trainer {
namespace {

// Steps and saves take their own time; twice what was measured is how far that is trusted.
constexpr int64_t kCaution = 2;

}  // namespace

DrainPlan DecideDrain(const DrainView& view) {
  DrainPlan plan;
  plan.leave = view.asked || view.notice;
  if (plan.leave && view.world_size > 1 && view.deadline_unix_ms.has_value()) {
    const int64_t left_ms = *view.deadline_unix_ms - view.now_unix_ms;
    plan.save_first = left_ms < kCaution * (view.step_ms + view.save_ms);
  }
  return plan;
}

std::optional<int64_t> NoticeDeadlineMs(absl::string_view text) {
  const nlohmann::json notice = nlohmann::json::parse(std::string(text), nullptr, false);
  if (!notice.is_object()) return std::nullopt;
  const auto time = notice.find("unix_time");
  // Beyond about the year 30,000 it is no time, and would not fit in milliseconds.
  if (time == notice.end() || !time->is_number()) return std::nullopt;
  const double seconds = time->get<double>();
  if (!(seconds >= 0 && seconds < 1e12)) return std::nullopt;
  return static_cast<int64_t>(seconds * 1000);
}

}  // namespace baton::trainer
