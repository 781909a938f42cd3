// How long a task takes for a step, and since when it gives no sign of life. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace baton::worker {

class StepPace {
 public:
  // What was seen when the task was looked at: its last finished step, when that was finished, and
  // when it touched its progress last (both unix, only compared with what was seen before).
  void Saw(int64_t step, int64_t step_ms, int64_t touched_ms, int64_t steady_ms);

  // Of the newest steps; 0: too few were seen to say so.
  int64_t median_ms() const;

  // Steady: the last time that something was new; 0: nothing has been seen.
  int64_t alive_ms() const { return alive_ms_; }

 private:
  int64_t step_ = 0;
  int64_t step_ms_ = 0;
  int64_t touched_ms_ = 0;
  int64_t alive_ms_ = 0;
  std::vector<int64_t> newest_;  // durations of steps
  size_t next_ = 0;              // of newest_, to be written over
};

// Milliseconds without a sign of life after which a task counts as hung; 0: never. `hang_after_ms`
// is its spec's: above 0 that long, below 0 never, 0 by itself: only where a native trainer's
// median step is known, since a script may do other things than steps for as long as it likes.
int64_t HangLimitMs(int64_t hang_after_ms, bool native, const StepPace& pace);

}  // namespace baton::worker
