// The values of a job's secrets, from this process' environment: never from a file of Baton's, and
// never shown.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "baton/v1/client.pb.h"
#include "common/spec/parse.h"

namespace baton::client {

// Adds `--secret NAME` to those of the spec; a mistake of the reading for what can't be one.
void AddSecrets(const std::vector<std::string>& names, spec::Reading* reading);

// The values of all that the request's jobs name. InvalidArgument names the variables that are not
// set or empty.
absl::Status FillSecrets(v1::SubmitJobsRequest* request);

// Names the secrets that are too short to be taken out of the job's log, and what to do; empty:
// there are none.
std::string ShortSecretsNote(const v1::SubmitJobsRequest& request);

}  // namespace baton::client
