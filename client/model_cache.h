// Models of jobs, fetched once.
#pragma once

#include <atomic>
#include <string>

#include "absl/status/statusor.h"
#include "client/api.h"

namespace baton::client {

// The folder with what the job left, below $XDG_CACHE_HOME/baton/models (~/.cache): fetched, unless
// the same output is there. FAILED_PRECONDITION when the job has no output, or none of the native
// trainer's.
absl::StatusOr<std::string> FetchModel(Api& api, const v1::Job& job, const std::atomic<bool>& stop);

}  // namespace baton::client
