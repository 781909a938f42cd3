#include "trainer/checkpoint/definition.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace baton::trainer {
namespace {

Definition Some() {
  Definition definition;
  definition.seed = 7;
  definition.shards = 4;
  definition.batch_size = 64;
  definition.epochs = 3;
  definition.train_samples = 1000;
  definition.data = "xxh3:1";
  definition.model = "model";
  definition.optimizer = "sgd 0.1";
  definition.optimizer_state = "momentum";
  definition.parameters = {{"fc.weight", {2, 3}, 0, 6}, {"fc.bias", {2}, 6, 2}};
  return definition;
}

TEST(DefinitionTest, TheSameFits) {
  const Fit fit = CompareDefinitions(DefinitionJson(Some()), Some());
  EXPECT_TRUE(fit.status.ok()) << fit.status;
  EXPECT_TRUE(fit.warnings.empty());
}

TEST(DefinitionTest, EveryFieldThatTheStateNeedsIsRefusedByName) {
  const std::vector<std::pair<std::string, std::function<void(Definition&)>>> changes = {
      {"seed: the checkpoint has 7, the spec 8", [](Definition& d) { d.seed = 8; }},
      {"shards: the checkpoint has 4, the spec 8", [](Definition& d) { d.shards = 8; }},
      {"batch_size: ", [](Definition& d) { d.batch_size = 32; }},
      {"train_samples: ", [](Definition& d) { d.train_samples = 999; }},
      {"data: ", [](Definition& d) { d.data = "xxh3:2"; }},
      {"shuffle: ", [](Definition& d) { d.shuffle = false; }},
      {"model: ", [](Definition& d) { d.model = "other"; }},
      {"optimizer_state: ", [](Definition& d) { d.optimizer_state = "adam_m,adam_v"; }},
      {"parameters[0]: ",
       [](Definition& d) {
         d.parameters[0].shape = {2, 4};
       }},
      {"parameters[1]: ", [](Definition& d) { d.parameters[1].name = "b"; }},
      {"parameters: the checkpoint has 2, the spec 1",
       [](Definition& d) { d.parameters.pop_back(); }},
  };
  for (const auto& [message, change] : changes) {
    Definition wanted = Some();
    change(wanted);
    const Fit fit = CompareDefinitions(DefinitionJson(Some()), wanted);
    EXPECT_EQ(fit.status.code(), absl::StatusCode::kFailedPrecondition) << message;
    EXPECT_THAT(std::string(fit.status.message()), testing::HasSubstr(message));
  }
}

TEST(DefinitionTest, AllDifferencesAreNamedAtOnce) {
  Definition wanted = Some();
  wanted.seed = 8;
  wanted.shards = 2;
  const Fit fit = CompareDefinitions(DefinitionJson(Some()), wanted);
  EXPECT_THAT(std::string(fit.status.message()),
              testing::AllOf(testing::HasSubstr("seed"), testing::HasSubstr("shards")));
}

TEST(DefinitionTest, OtherRatesOrMoreEpochsAreAWarning) {
  Definition wanted = Some();
  wanted.epochs = 9;
  wanted.optimizer = "sgd 0.2";
  const Fit fit = CompareDefinitions(DefinitionJson(Some()), wanted);
  EXPECT_TRUE(fit.status.ok()) << fit.status;
  EXPECT_THAT(fit.warnings, testing::UnorderedElementsAre(testing::HasSubstr("epochs"),
                                                          testing::HasSubstr("optimizer")));
}

TEST(DefinitionTest, SomethingElseInItsPlaceIsRefused) {
  for (const char* text : {"null", "[]", "3", "{}"}) {
    EXPECT_FALSE(CompareDefinitions(nlohmann::ordered_json::parse(text), Some()).status.ok())
        << text;
  }
}

}  // namespace
}  // namespace baton::trainer
