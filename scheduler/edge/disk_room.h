// Whether the scheduler's disk has room for new jobs.
#pragma once

#include "absl/status/status.h"
#include "scheduler/store/store.h"

namespace baton::edge {

// ResourceExhausted: it is nearly full, in words for whoever submits.
absl::Status CheckDiskRoom(const store::Store& store);

}  // namespace baton::edge
