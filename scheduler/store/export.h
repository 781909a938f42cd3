// A segment of the event log as a byte stream (LOG.md): its header, the state with which it began,
// then its events. Read by scheduler/sim/replay.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "scheduler/store/store.h"

namespace baton::store {

// Calls `sink` with pieces of at most 64 KiB (a larger record is a piece of its own); an error of
// the sink ends the export. Segment 0: the newest. NotFound names the segments that there are.
// Reads from one view of the store: a running scheduler goes on meanwhile.
using Sink = std::function<absl::Status(absl::string_view bytes)>;
absl::Status ExportSegment(const Store& store, uint64_t segment, const Sink& sink);

}  // namespace baton::store
