// What a preemption notice means at a step boundary. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace baton::trainer {

// What this rank knows when it has finished a step.
struct DrainView {
  bool asked = false;                       // SIGTERM or SIGINT came
  bool notice = false;                      // the file that BATON_DEADLINE_FILE names is there
  std::optional<int64_t> deadline_unix_ms;  // what the notice says, if it can be read
  int64_t now_unix_ms = 0;
  int64_t step_ms = 0;  // the longest of the recent steps
  int64_t save_ms = 0;  // the last save, 0 before the first
  int world_size = 1;
};

struct DrainPlan {
  // Propose to all ranks that they leave after the next step; a single rank leaves at once.
  bool leave = false;
  // The proposal costs one more step, and with the save behind it that may not fit before the
  // deadline: save the state of this boundary first.
  bool save_first = false;
};

// A rank leaves as soon as it is told to, rather than use up its notice: the scheduler then moves
// the work on at once, and a save that fails can still be tried again.
DrainPlan DecideDrain(const DrainView& view);

// The deadline of a notice, {"unix_time": seconds, "reason": text}; nothing when the text is not
// that, which is a notice all the same.
std::optional<int64_t> NoticeDeadlineMs(absl::string_view text);

}  // namespace baton::trainer
