#include "common/spec/table_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/spec/text.h"

namespace baton::spec {
namespace {

constexpr size_t kNamesShown = 20;

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class Planner {
 public:
  Planner(const CsvData& csv, const Model& model, std::vector<std::string> names,
          std::vector<ColumnMistake>* mistakes)
      : csv_(csv), model_(model), mistakes_(*mistakes) {
    plan_.names = std::move(names);
  }

  TablePlan Run() {
    const std::string inputs =
        csv_.inputs.size() == 1 && csv_.inputs[0].name == kModelInput ? "features" : "inputs";
    for (const ModelInput& input : model_.inputs) {
      plan_.inputs.push_back(Add(ColumnsOf(input.name), inputs, false));
    }
    if (!csv_.reconstruct) plan_.targets = Add(csv_.target, "target", true);
    if (!csv_.anomaly.empty()) {
      const std::vector<size_t> added = Add({csv_.anomaly}, "anomaly", true);
      if (!added.empty()) plan_.anomaly = added[0];
    }
    CheckCategories(csv_.one_hot, "one_hot");
    CheckCategories(csv_.index, "index");
    if (plan_.anomaly) plan_.wanted[*plan_.anomaly].required = true;
    if (plan_.anomaly && plan_.uses[*plan_.anomaly] != ColumnUse::kNumber) {
      mistakes_.push_back({"anomaly", absl::StrCat("'", csv_.anomaly,
                                                   "' must hold 0 and 1: take it out of one_hot "
                                                   "and index")});
    }
    for (const size_t target : plan_.targets) {
      plan_.wanted[target].required = csv_.window_steps == 0;
      if (plan_.uses[target] != ColumnUse::kOneHot) continue;
      mistakes_.push_back({"one_hot", absl::StrCat("'", plan_.NameOf(target),
                                                   "' is the target; use index for its texts")});
    }
    return std::move(plan_);
  }

 private:
  std::vector<std::string> ColumnsOf(const std::string& input) const {
    for (const InputColumns& columns : csv_.inputs) {
      if (columns.name == input) return columns.columns;
    }
    if (csv_.window_steps > 0 && !csv_.reconstruct) return csv_.target;
    std::vector<std::string> others;
    for (const std::string& name : plan_.names) {
      if (!Has(csv_.target, name) && name != csv_.anomaly) others.push_back(name);
    }
    return others;
  }

  std::vector<size_t> Add(const std::vector<std::string>& columns, const std::string& field,
                          bool is_target) {
    std::vector<size_t> added;
    for (const std::string& name : columns) {
      const auto at = std::find(plan_.names.begin(), plan_.names.end(), name);
      if (at == plan_.names.end()) {
        mistakes_.push_back({field, Unknown(name)});
        continue;
      }
      if (!is_target && csv_.window_steps == 0 && Has(csv_.target, name) &&
          model_.loss == Loss::kSoftmaxCrossEntropy) {
        mistakes_.push_back({field, absl::StrCat("'", name, "' is the target too; remove it")});
      }
      added.push_back(IndexOf(static_cast<size_t>(at - plan_.names.begin())));
    }
    if (columns.empty()) mistakes_.push_back({field, "the file has no other columns"});
    return added;
  }

  size_t IndexOf(size_t column) {
    for (size_t i = 0; i < plan_.wanted.size(); ++i) {
      if (plan_.wanted[i].index == column) return i;
    }
    const std::string& name = plan_.names[column];
    const ColumnUse use = Has(csv_.one_hot, name) ? ColumnUse::kOneHot
                          : Has(csv_.index, name) ? ColumnUse::kIndex
                                                  : ColumnUse::kNumber;
    plan_.wanted.push_back({column, use != ColumnUse::kNumber, false});
    plan_.uses.push_back(use);
    return plan_.wanted.size() - 1;
  }

  void CheckCategories(const std::vector<std::string>& columns, const std::string& field) {
    for (const std::string& name : columns) {
      if (!Has(plan_.names, name)) mistakes_.push_back({field, Unknown(name)});
    }
  }

  std::string Unknown(const std::string& name) const {
    const std::vector<std::string> nearest = Nearest(name, plan_.names);
    std::vector<std::string> shown(
        plan_.names.begin(), plan_.names.begin() + static_cast<std::ptrdiff_t>(
                                                       std::min(kNamesShown, plan_.names.size())));
    if (shown.size() < plan_.names.size()) shown.push_back("..");
    return absl::StrCat("no column '", Shown(name), "'; ",
                        nearest.empty() ? absl::StrCat("the file has ", absl::StrJoin(shown, ", "))
                                        : absl::StrCat("did you mean ", OrList(nearest), "?"));
  }

  const CsvData& csv_;
  const Model& model_;
  std::vector<ColumnMistake>& mistakes_;
  TablePlan plan_;
};

}  // namespace

TablePlan PlanTable(const CsvData& csv, const Model& model, std::vector<std::string> names,
                    std::vector<ColumnMistake>* mistakes) {
  return Planner(csv, model, std::move(names), mistakes).Run();
}

int64_t WidthOf(const TableFile& train, size_t wanted) {
  if (train.plan.uses[wanted] != ColumnUse::kOneHot) return 1;
  return static_cast<int64_t>(train.columns.columns[wanted].categories.size());
}

int64_t WidthOfInput(const TableFile& train, size_t input) {
  int64_t width = 0;
  for (const size_t wanted : train.plan.inputs[input]) width += WidthOf(train, wanted);
  return width;
}

int64_t TestCount(const TestPart& part, int64_t samples) {
  return static_cast<int64_t>(part.fraction * static_cast<double>(samples));
}

}  // namespace baton::spec
