// A spec as the scheduler is asked for it.
#pragma once

#include "baton/v1/job.pb.h"
#include "common/spec/job_spec.h"

namespace baton::client {

// All fields that do not depend on an upload.
v1::JobSpec WireSpec(const spec::JobSpec& spec);

}  // namespace baton::client
