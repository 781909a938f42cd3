// When the next checkpoint is due. Pure.
#pragma once

#include <cstdint>

#include "common/spec/job_spec.h"

namespace baton::trainer {

// With an interval in the spec, that one. Without, by time: the first soon, so that an early loss
// costs little, then so rarely that the measured cost of a save stays below one part in a hundred
// of the time (Young, "A first order approximation to the optimum checkpoint interval", CACM 1974;
// the hazard is not known here, so the cost bounds the interval from below).
class SaveSchedule {
 public:
  SaveSchedule(const spec::CheckpointPolicy& policy, int64_t now_ms);

  // After finished step `step`, at monotonic time `now_ms`.
  bool Due(int64_t step, int64_t now_ms) const;
  // True when a save that is due has to happen at this very step, also if the one before is still
  // being written.
  bool exact() const { return every_steps_ > 0; }
  // A save was begun.
  void Begun(int64_t now_ms);
  // A save ended, well or not, after so long.
  void Ended(double write_s);

 private:
  const int64_t every_steps_;  // 0: by time
  const int64_t every_ms_;     // 0: by cost
  int64_t begun_ms_;           // of the last save, or of the process
  int64_t interval_ms_;
};

}  // namespace baton::trainer
