// When the next checkpoint is due. Pure.
#pragma once

#include <cstdint>

#include "common/spec/job_spec.h"

namespace baton::trainer {

// The time between two saves, of which each takes `write_s`, that loses the least when the run is
// lost once in `mtbf_s`: Daly, "A higher order estimate of the optimum checkpoint interval for
// restart dumps", FGCS 2006, equation 37, whose first term is Young's (CACM 1974).
double BestIntervalS(double write_s, double mtbf_s);

// With an interval in the spec, that one. Without, by time: the first soon, so that an early loss
// costs little, then at the best interval for the measured cost of a save and the hazard of the
// nodes. Alone, where the hazard is not known, so rarely that the cost stays below one part in a
// hundred of the time. The spec has a floor and a ceiling for both.
class SaveSchedule {
 public:
  // `mtbf_ms` 0: not known.
  SaveSchedule(const spec::CheckpointPolicy& policy, int64_t mtbf_ms, int64_t now_ms);

  // After finished step `step`, at monotonic time `now_ms`.
  bool Due(int64_t step, int64_t now_ms) const;
  // True when a save that is due has to happen at this very step, also if the one before is still
  // being written.
  bool exact() const { return every_steps_ > 0; }
  // Somebody has asked for a save: it is due until the next one begins.
  void Ask() { asked_ = true; }
  // A save was begun.
  void Begun(int64_t now_ms);
  // A save ended, well or not, after so long.
  void Ended(double write_s);

 private:
  const spec::CheckpointPolicy policy_;
  const int64_t every_steps_;  // 0: by time
  const int64_t every_ms_;     // 0: by cost
  const int64_t mtbf_ms_;
  int64_t begun_ms_;  // of the last save, or of the process
  int64_t interval_ms_;
  bool asked_ = false;
};

}  // namespace baton::trainer
