// Weights to begin with, from a file that others wrote.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/spec/model.h"
#include "common/spec/weights_plan.h"

namespace baton::trainer {

// Fills `weights` (as long as the model's parameters) from any file that common/weights reads, as
// spec::PlanWeights has it: but for the layers in `skip`, whose values stay. What else the file has
// is listed in `*unused`. INVALID_ARGUMENT names the file and all that does not fit; NOT_FOUND: no
// such file. `weights` is as before after these.
absl::Status LoadWeights(const std::string& path, const spec::Model& model,
                         const std::vector<std::string>& skip, absl::Span<float> weights,
                         std::vector<std::string>* unused,
                         spec::WeightsUse use = spec::WeightsUse::kBegin);

// "FILE: 3 of its tensors are not in the model: a, b, c".
std::string UnusedText(const std::string& path, const std::vector<std::string>& unused);

}  // namespace baton::trainer
