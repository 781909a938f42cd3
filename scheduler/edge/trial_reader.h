// What a trial whose job has ended was worth: its metric's last value, once everything that its
// tasks wrote has arrived. Reads files; one caller at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/edge/metrics_view.h"
#include "scheduler/edge/stream_ends.h"
#include "scheduler/state/event.h"
#include "scheduler/store/journal.h"

namespace baton::edge {

class TrialReader {
 public:
  struct Sources {
    const store::Journal& journal;
    const StreamEnds& ends;
    MetricsView& metrics;
    int64_t started_ms = 0;  // of the scheduler, monotonic
    int64_t lease_ms = 10'000;
  };
  struct Trial {
    state::SweepId sweep;
    int32_t index = 0;
    state::JobId job;
    std::string metric;
    bool succeeded = false;
    std::string reason;  // how its job ended, in words
    int32_t attempt = 0;
    std::vector<int32_t> ranks;  // of that attempt, the last
  };
  explicit TrialReader(Trial trial) : trial_(std::move(trial)) {}

  // The report, or nothing while more may come: bytes up to the end that a worker told, waited for
  // as long as kMissingMs; where none was told, until nothing came for kQuietMs, and after a start
  // of the scheduler for a lease, in which workers come back with what they kept.
  std::optional<state::TrialReported> Read(const Sources& from, int64_t monotonic_ms);

 private:
  static constexpr int64_t kQuietMs = 1'000;
  static constexpr int64_t kMissingMs = 10'000;

  bool IsWhole(const Sources& from, int64_t monotonic_ms);
  state::TrialReported Report(const Sources& from) const;

  const Trial trial_;
  int64_t bytes_ = -1;     // of its metrics that have arrived
  int64_t quiet_ms_ = -1;  // monotonic: nothing came since
};

}  // namespace baton::edge
