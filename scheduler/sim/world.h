// One simulated cluster from its begin to its end: faults first, then heal and demand progress. A
// pure function of its seed: the same seed gives the same bytes.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "scheduler/sim/probes.h"

namespace baton::sim {

struct WorldOptions {
  uint64_t seed = 1;
  uint64_t fault_events = 4000;  // then the faults stop
  // Called with every event in words, line by line; may be null.
  std::function<void(absl::string_view line)> tracer;
};

struct WorldResult {
  absl::Status status;  // the first broken promise
  uint64_t events = 0;
  uint64_t digest = 0;  // of all that was decided and stored
  int64_t virtual_ms = 0;
  uint64_t jobs = 0;
  uint64_t replayed = 0;  // events of a segment of its log that were replayed
  Probes probes;
};

WorldResult RunWorld(const WorldOptions& options);

}  // namespace baton::sim
