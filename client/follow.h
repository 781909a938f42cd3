// A job's progress on a terminal until it has ended: one line that renews itself, above it notes of
// what happened, and what a script prints. Without a terminal a line every few seconds.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/api.h"

namespace baton::client {

// The job as it ended, or as it was when Ctrl-C came (Cancelled: the job goes on).
absl::StatusOr<v1::Job> Follow(Api& api, const std::string& job, const std::atomic<bool>& stop);

// What a person may type next, given the job.
std::string NextCommands(const v1::Job& job);

}  // namespace baton::client
