// What `weights:` names: that it can be read and fits the model.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/spec/check_data.h"
#include "common/spec/shapes.h"
#include "common/spec/weights_plan.h"
#include "common/status.h"
#include "common/weights/weights_file.h"

namespace baton::spec {
namespace {

absl::Status CheckFit(const std::string& path, const Model& model,
                      const std::vector<std::string>& skip) {
  BATON_ASSIGN_OR_RETURN(const auto file, weights::WeightsFile::Open(path));
  const absl::StatusOr<WeightsPlan> plan = PlanWeights(*file, model, skip);
  if (plan.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", plan.status().message()));
}

}  // namespace

void CheckWeights(const FindFile& find, DataFiles* kept, Reading* reading) {
  if (!reading->spec.native || !reading->spec.native->weights) return;
  DataCheck check(find, kept, reading);
  GivenWeights& weights = *reading->spec.native->weights;
  const std::optional<std::string> path = check.Find("weights", &weights.file);
  // Of a model or a `skip` with mistakes, no more is said.
  if (!path || !Parameters(check.model()).ok() ||
      !UnknownSkips(check.model(), weights.skip).empty()) {
    return;
  }
  const absl::Status fit = CheckFit(*path, check.model(), weights.skip);
  if (!fit.ok()) check.Add("weights", std::string(fit.message()));
  if (kept != nullptr) kept->weights = *path;
}

}  // namespace baton::spec
