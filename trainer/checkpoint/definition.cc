#include "trainer/checkpoint/definition.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"

namespace baton::trainer {
namespace {

using Json = nlohmann::ordered_json;

// Fields that a state cannot do without; the others only change where training goes from here.
constexpr const char* kRequired[] = {"seed", "shards",  "batch_size",      "train_samples",
                                     "data", "shuffle", "optimizer_state", "parameters",
                                     "model"};
constexpr const char* kSoft[] = {"epochs", "optimizer", "early_stopping", "start"};
constexpr size_t kShownMax = 120;

std::string Shown(const Json& value) {
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  if (text.size() > kShownMax) text = text.substr(0, kShownMax) + "...";
  return text;
}

// The first parameter that differs says more than two long lists.
std::string ParameterDifference(const Json& recorded, const Json& wanted) {
  const size_t count = std::min(recorded.size(), wanted.size());
  for (size_t i = 0; i < count; ++i) {
    if (recorded[i] != wanted[i]) {
      return absl::StrCat("parameters[", i, "]: the checkpoint has ", Shown(recorded[i]),
                          ", the spec ", Shown(wanted[i]));
    }
  }
  return absl::StrCat("parameters: the checkpoint has ", recorded.size(), ", the spec ",
                      wanted.size());
}

std::string Difference(const std::string& field, const Json& recorded, const Json& wanted) {
  if (field == "parameters" && recorded.is_array()) return ParameterDifference(recorded, wanted);
  return absl::StrCat(field, ": the checkpoint has ", Shown(recorded), ", the spec ",
                      Shown(wanted));
}

std::vector<std::string> Differences(absl::Span<const char* const> fields, const Json& recorded,
                                     const Json& wanted) {
  std::vector<std::string> differences;
  for (const char* field : fields) {
    const Json there = recorded.is_object() ? recorded.value(field, Json()) : Json();
    if (there != wanted[field]) differences.push_back(Difference(field, there, wanted[field]));
  }
  return differences;
}

}  // namespace

Json DefinitionJson(const Definition& definition) {
  Json parameters = Json::array();
  for (const Parameter& parameter : definition.parameters) {
    parameters.push_back({{"name", parameter.name}, {"shape", parameter.shape}});
  }
  return {{"seed", definition.seed},
          {"shards", definition.shards},
          {"batch_size", definition.batch_size},
          {"epochs", definition.epochs},
          {"train_samples", definition.train_samples},
          {"data", definition.data},
          {"shuffle", definition.shuffle},
          {"start", definition.start},
          {"model", definition.model},
          {"optimizer", definition.optimizer},
          {"early_stopping", definition.early_stopping},
          {"optimizer_state", definition.optimizer_state},
          {"parameters", parameters}};
}

Fit CompareDefinitions(const Json& recorded, const Definition& wanted) {
  const Json mine = DefinitionJson(wanted);
  Fit fit;
  const std::vector<std::string> hard = Differences(kRequired, recorded, mine);
  if (!hard.empty()) {
    fit.status = absl::FailedPreconditionError(
        absl::StrCat("it belongs to another spec: ", absl::StrJoin(hard, "; "),
                     ". Resume it with the spec that wrote it, or start without --resume"));
  }
  fit.warnings = Differences(kSoft, recorded, mine);
  return fit;
}

}  // namespace baton::trainer
