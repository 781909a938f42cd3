// `baton train --from JOB[@STEP]`: a new job that begins with another one's checkpoint.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "baton/v1/job.pb.h"
#include "client/api.h"

namespace baton::client {

// Sets where `spec` begins. `from` is a job as the calls take it, and after the last '@' a step or
// a name of its checkpoints (without: the newest). NotFound: no such job; InvalidArgument: no such
// checkpoint, with the ones there are.
absl::Status ContinueFrom(Api& api, const std::string& from, v1::JobSpec* spec);

// The checkpoint of the job that `what` names (empty: the newest).
absl::StatusOr<std::string> CheckpointNamed(const v1::Job& job, const std::string& what);

}  // namespace baton::client
