// A JobSpec as canonical YAML: every field, defaults too, always in the same order. Reading it
// gives an equal spec, and writing that the same bytes. This is the `effective spec` in a package,
// which the trainer reads.
#pragma once

#include <string>

#include "common/spec/job_spec.h"

namespace baton::spec {

std::string WriteSpec(const JobSpec& spec);

}  // namespace baton::spec
