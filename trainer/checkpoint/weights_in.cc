#include "trainer/checkpoint/weights_in.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"
#include "common/status.h"
#include "common/weights/weights_file.h"
#include "trainer/layer/network.h"

namespace baton::trainer {

absl::Status LoadWeights(const std::string& path, const spec::Model& model,
                         const std::vector<std::string>& skip, absl::Span<float> weights,
                         std::vector<std::string>* unused, spec::WeightsUse use) {
  BATON_ASSIGN_OR_RETURN(const auto file, weights::WeightsFile::Open(path));
  absl::StatusOr<spec::WeightsPlan> plan = spec::PlanWeights(*file, model, skip, use);
  if (!plan.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", plan.status().message()));
  }
  BATON_ASSIGN_OR_RETURN(const std::vector<Parameter> parameters, ModelParameters(model));
  for (const spec::WeightsPlan::Part& part : plan->parts) {
    const Parameter& parameter = parameters[part.parameter];
    BATON_CHECK(parameter.offset + parameter.count <= weights.size(), "weights of the model");
    BATON_RETURN_IF_ERROR(
        file->Read(part.tensor, weights.subspan(parameter.offset, parameter.count)));
  }
  *unused = std::move(plan->unused);
  return absl::OkStatus();
}

std::string UnusedText(const std::string& path, const std::vector<std::string>& unused) {
  constexpr size_t kShown = 8;
  const size_t shown = std::min(unused.size(), kShown);
  return absl::StrCat(
      path, ": ", unused.size(), " of its tensors are not in the model: ",
      absl::StrJoin(unused.begin(), unused.begin() + static_cast<ptrdiff_t>(shown), ", "),
      unused.size() > shown ? ", .." : "");
}

}  // namespace baton::trainer
