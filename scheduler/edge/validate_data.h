// The pure part of a request's checks that is about data and secrets (validate.h).
#pragma once

#include <string>

#include "baton/v1/client.pb.h"
#include "scheduler/edge/validate.h"

namespace baton::edge {

// `data` and `secret_names` of one job.
void CheckDataOf(const v1::JobSpec& spec, const std::string& path, Problems& problems);

// The values of a submit: each job's names have one, and nothing is too large.
void CheckSecrets(const v1::SubmitJobsRequest& request, Problems& problems);

}  // namespace baton::edge
