#include "scheduler/edge/sweep_check.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "baton/v1/client.pb.h"
#include "scheduler/edge/validate.h"

namespace baton::edge {
namespace {

constexpr int kParamsMax = 64;
constexpr size_t kNameBytesMax = 128;
constexpr size_t kSweepNameBytesMax = 120;  // a trial's job adds its number
constexpr int kChoicesMax = 1'000;
constexpr size_t kChoiceBytesMax = 1'024;
constexpr int kStepsMax = 10'000;
constexpr double kWholeMax = 9e15;  // whole numbers up to here are doubles

bool IsWhole(double value) { return std::fabs(value) <= kWholeMax && std::floor(value) == value; }

class ParamCheck {
 public:
  ParamCheck(const v1::SweepParam& param, bool grid, std::string path, Problems& problems)
      : param_(param), grid_(grid), path_(std::move(path)), problems_(problems) {}

  void Run() {
    if (param_.name().empty() || param_.name().size() > kNameBytesMax) {
      Add("name", absl::StrCat("must have 1 to ", kNameBytesMax, " bytes"));
    }
    if (param_.kind() == v1::SweepParam::CHOICE) {
      Choices();
    } else if (param_.kind() == v1::SweepParam::INTEGER ||
               param_.kind() == v1::SweepParam::DOUBLE) {
      Range();
    } else {
      Add("kind", "is no known kind");
    }
  }

 private:
  void Add(absl::string_view field, const std::string& what) {
    problems_.Add(absl::StrCat(path_, ".", field), what);
  }

  void Choices() {
    if (param_.choices_json().empty() || param_.choices_json_size() > kChoicesMax) {
      Add("choices_json", absl::StrCat("must be 1 to ", kChoicesMax, " values"));
      return;
    }
    std::set<std::string> seen;
    for (const std::string& choice : param_.choices_json()) {
      const bool json = choice.size() <= kChoiceBytesMax && nlohmann::json::accept(choice);
      if (!json) Add("choices_json", "has a value that is no JSON, or a long one");
      if (!seen.insert(choice).second) Add("choices_json", "has " + choice + " twice");
    }
  }

  void Range() {
    if (!std::isfinite(param_.min()) || !std::isfinite(param_.max())) {
      Add("min", "and max must be numbers");
      return;
    }
    if (param_.min() > param_.max()) Add("min", "is above max");
    if (!v1::SweepParam::Scale_IsValid(param_.scale())) Add("scale", "is no known scale");
    const bool log =
        param_.scale() == v1::SweepParam::LOG || param_.scale() == v1::SweepParam::REVERSE_LOG;
    if (log && param_.min() <= 0) Add("min", "must be above 0 on a log scale");
    const bool integer = param_.kind() == v1::SweepParam::INTEGER;
    if (integer && (!IsWhole(param_.min()) || !IsWhole(param_.max()))) {
      Add("min", "and max of an integer must be whole numbers");
    }
    if (param_.steps() < 0 || param_.steps() > kStepsMax) {
      Add("steps", absl::StrCat("is ", param_.steps(), ", must be 0 to ", kStepsMax));
    }
    const bool endless = !integer && param_.steps() == 0 && param_.min() < param_.max();
    if (grid_ && endless) {
      Add("steps", "must say for a grid how many values from min to max are tried");
    }
  }

  const v1::SweepParam& param_;
  const bool grid_;
  const std::string path_;
  Problems& problems_;
};

void CheckPlan(const v1::SweepPlan& plan, Problems& problems) {
  if (plan.metric().empty() || plan.metric().size() > kNameBytesMax) {
    problems.Add("plan.metric", absl::StrCat("must have 1 to ", kNameBytesMax, " bytes"));
  }
  if (plan.goal() != v1::SweepPlan::MAXIMIZE && plan.goal() != v1::SweepPlan::MINIMIZE) {
    problems.Add("plan.goal", "must be MAXIMIZE or MINIMIZE");
  }
  const bool grid = plan.algorithm() == v1::SweepPlan::GRID;
  if (!grid && plan.algorithm() != v1::SweepPlan::RANDOM) {
    problems.Add("plan.algorithm", "must be RANDOM or GRID");
  }
  if (plan.max_trials() < 1 || plan.max_trials() > kTrialsMax) {
    problems.Add("plan.max_trials",
                 absl::StrCat("is ", plan.max_trials(), ", must be 1 to ", kTrialsMax));
  }
  if (plan.parallel_trials() < 1 || plan.parallel_trials() > kParallelTrialsMax) {
    problems.Add("plan.parallel_trials", absl::StrCat("is ", plan.parallel_trials(),
                                                      ", must be 1 to ", kParallelTrialsMax));
  }
  if (plan.params().empty() || plan.params_size() > kParamsMax) {
    problems.Add("plan.params", absl::StrCat("must be 1 to ", kParamsMax, " parameters"));
    return;
  }
  std::set<std::string> names;
  for (int i = 0; i < plan.params_size(); ++i) {
    const std::string path = absl::StrCat("plan.params[", i, "]");
    ParamCheck(plan.params(i), grid, path, problems).Run();
    if (!names.insert(plan.params(i).name()).second) {
      problems.Add(path + ".name", "is the name of another parameter too");
    }
  }
}

sweep::Kind KindFromWire(v1::SweepParam::Kind kind) {
  if (kind == v1::SweepParam::INTEGER) return sweep::Kind::kInteger;
  return kind == v1::SweepParam::DOUBLE ? sweep::Kind::kDouble : sweep::Kind::kChoice;
}

sweep::Scale ScaleFromWire(v1::SweepParam::Scale scale) {
  if (scale == v1::SweepParam::LOG) return sweep::Scale::kLog;
  return scale == v1::SweepParam::REVERSE_LOG ? sweep::Scale::kReverseLog : sweep::Scale::kLinear;
}

}  // namespace

absl::Status CheckSubmitSweep(const v1::SubmitSweepRequest& request) {
  v1::SubmitJobsRequest like;
  like.set_request_id(request.request_id());
  *like.mutable_submitter() = request.submitter();
  *like.add_jobs() = request.job();
  *like.mutable_secrets() = request.secrets();
  Problems problems;
  if (request.job().name().size() > kSweepNameBytesMax) {
    problems.Add("jobs[0].name",
                 absl::StrCat("of a sweep has at most ", kSweepNameBytesMax, " bytes"));
  }
  CheckPlan(request.plan(), problems);
  const absl::Status job = CheckSubmit(like);
  const absl::Status plan = problems.ToStatus();
  if (job.ok() || plan.ok()) return job.ok() ? plan : job;
  return absl::InvalidArgumentError(absl::StrCat(job.message(), "\n", plan.message()));
}

sweep::Space SpaceFromWire(const v1::SweepPlan& plan) {
  sweep::Space space;
  space.algorithm =
      plan.algorithm() == v1::SweepPlan::GRID ? sweep::Algorithm::kGrid : sweep::Algorithm::kRandom;
  space.seed = plan.seed();
  for (const v1::SweepParam& wire : plan.params()) {
    sweep::Param& param = space.params.emplace_back();
    param.name = wire.name();
    param.kind = KindFromWire(wire.kind());
    param.min = wire.min();
    param.max = wire.max();
    param.scale = ScaleFromWire(wire.scale());
    param.steps = wire.steps();
    param.choices.assign(wire.choices_json().begin(), wire.choices_json().end());
  }
  return space;
}

}  // namespace baton::edge
