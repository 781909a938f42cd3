// A recorded segment of the event log through the core again: the same decisions, byte for byte.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::sim {

// One event after which this core decided otherwise, with both sides' words.
struct Difference {
  uint64_t sequence = 0;
  int64_t now_ms = 0;
  std::string event;     // in words
  std::string recorded;  // what was decided then
  std::string replayed;  // what is decided now
};

struct ReplayReport {
  uint64_t segment = 0;
  int64_t start_ms = 0;
  std::string recorded_version;  // of the core that wrote the log
  std::string core_version;      // of this one
  uint64_t events = 0;           // replayed and equal
  uint64_t jobs = 0;             // when the segment began
  // At most one for the core's own version: what follows a difference proves nothing. Another
  // version's log is replayed to its end, and all differences are counted, the first ones told.
  std::vector<Difference> differences;
  uint64_t differences_total = 0;

  bool same_core() const { return recorded_version == core_version; }
};

// `bytes` is a whole exported segment (scheduler/store/LOG.md). DataLoss: it is damaged.
absl::StatusOr<ReplayReport> Replay(absl::string_view bytes);

// For people: a few lines, without a newline at the end.
std::string Words(const ReplayReport& report);

}  // namespace baton::sim
