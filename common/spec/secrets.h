// The names of variables whose values travel apart from the spec.
#pragma once

#include <string>

#include "common/spec/job_spec.h"

namespace baton::spec {

// Why the job can't have a secret of this name, in words that follow the field's; empty: it can.
std::string SecretMistake(const JobSpec& spec, const std::string& name);

}  // namespace baton::spec
