// The user's program of a simulated job: what it does is written in its spec, so that every worker
// knows it and two runs of it do the same.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/random.h"
#include "scheduler/state/job.h"

namespace baton::sim {

enum class Fate : uint8_t {
  kHealthy,         // ends with 0 unless somebody stops it
  kCrashesOnce,     // its first attempt exits with 1
  kCrashes,         // each attempt exits with 1
  kKilled,          // its first attempt is killed by signal 9
  kResumesUnasked,  // its first attempt exits with 75, though nobody asked
  kBadStart,        // it can never be started
};

struct Program {
  Fate fate = Fate::kHealthy;
  int64_t steps = 1;
  int64_t step_ms = 100;
  int64_t steps_per_checkpoint = 1;
  bool catches_sigterm = true;

  bool Misbehaves(int32_t attempt) const {
    if (fate == Fate::kHealthy) return false;
    return fate == Fate::kCrashes || fate == Fate::kBadStart || attempt == 1;
  }
  // Exit code of a misbehaving attempt.
  int32_t BadExit() const;
};

// The spec of a random job; its program is in `wire`.
state::JobSpec RandomSpec(Random& random);
Program ProgramOf(const state::JobSpec& spec);

}  // namespace baton::sim
