// Trying again while the store can't be reached or has no room.
#pragma once

#include <functional>

#include "absl/status/status.h"

namespace baton::worker {

// Calls `attempt` until it returns anything but Unavailable, ResourceExhausted, DeadlineExceeded,
// or an Aborted; pauses grow from 50 ms to 2 s. ResourceExhausted is given back at once when it is
// this machine's disk that is full, and after 30 s of a store without room. Cancelled as soon as
// `cancelled` says so.
absl::Status RetryWhileAway(const std::function<bool()>& cancelled,
                            const std::function<absl::Status()>& attempt);

}  // namespace baton::worker
