// The scheduler's refusal of a job, told at the place of the spec where it is to be mended. The
// scheduler names fields as they travel ("jobs[0].resources.cpus_milli: ..", one a line) and knows
// neither file nor line. Pure.
#pragma once

#include "absl/status/status.h"
#include "common/spec/parse.h"

namespace baton::client {

// Any other status, and each line that names no field of the first job, stays as it is.
absl::Status AtItsPlace(const absl::Status& refusal, const spec::Reading& reading);

}  // namespace baton::client
