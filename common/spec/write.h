// A JobSpec as canonical YAML: every field, defaults too, always in the same order. Reading it
// gives an equal spec, and writing that the same bytes. This is the `effective spec` in a package,
// which the trainer reads.
#pragma once

#include <string>

#include "common/spec/job_spec.h"

namespace baton::spec {

std::string WriteSpec(const JobSpec& spec);

// The sections `data:`, `model:` and `optimizer:` of it: equal texts are equal models and
// optimizers.
std::string DataText(const Data& data);
std::string ModelText(const Model& model);
std::string OptimizerText(const Optimizer& optimizer);

}  // namespace baton::spec
