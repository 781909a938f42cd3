// An exported segment of the event log (LOG.md) as plain values.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scheduler/state/event.h"
#include "scheduler/store/frame.h"
#include "scheduler/store/outcome.h"
#include "scheduler/store/recover.h"

namespace baton::store {

struct SegmentHead {
  uint64_t segment = 0;
  uint64_t first_sequence = 0;
  int64_t start_ms = 0;
  std::string core_version;
  Recovered begin;  // the state with its config, and the shared values of state and events
};

struct SegmentEntry {
  uint64_t sequence = 0;
  int64_t now_ms = 0;
  state::Event event;
  Outcome outcome;
};

class SegmentReader {
 public:
  // Reads up to the first entry. `bytes` is a whole stream and outlives the reader. DataLoss names
  // the damaged place; FailedPrecondition: the stream is a newer program's.
  static absl::StatusOr<SegmentReader> Open(absl::string_view bytes);

  // Call it once, and keep the shared values until the last entry is read.
  SegmentHead TakeHead() { return std::move(head_); }

  // The next event; OutOfRange behind the last one, once the stream has proved to be whole.
  absl::StatusOr<SegmentEntry> Next(const SharedValues& shared);

 private:
  explicit SegmentReader(FrameReader frames) : frames_(frames) {}
  absl::Status ReadHead();
  // Reads the next frame; there must be one.
  absl::Status Advance();

  FrameReader frames_;
  Frame frame_;  // read, and not used yet
  SegmentHead head_;
  uint64_t records_ = 0;
  uint64_t entries_ = 0;
};

}  // namespace baton::store
