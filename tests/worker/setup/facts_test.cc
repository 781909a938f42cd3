#include "worker/setup/facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "worker/setup/build.h"
#include "worker/setup/node_environment.h"

namespace baton::worker {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

EnvironmentFacts SomeFacts() {
  EnvironmentFacts facts;
  facts.kind = "requirements";
  facts.digest = std::string(64, 'a');
  facts.source = "requirements.txt";
  facts.python = "3.11.2";
  facts.packages = {"numpy==1.24.2", "odd\xff==1"};
  facts.build_ms = 5000;
  facts.root = "/var/lib/x";
  return facts;
}

TEST(EnvironmentFacts, AreShownAndKept) {
  const auto json = nlohmann::json::parse(FactsJson(SomeFacts(), {"built", 5100, "13.0", "580.1"}));
  EXPECT_EQ(json["kind"], "requirements");
  EXPECT_EQ(json["from"], "built");
  EXPECT_EQ(json["setup_ms"], 5100);
  EXPECT_EQ(json["cuda"], "13.0");
  EXPECT_EQ(json["packages_total"], 2);
  EXPECT_EQ(json["packages"][0], "numpy==1.24.2");
  EXPECT_FALSE(json.contains("r")) << "what is not known is left out";
  EXPECT_FALSE(json.contains("root"));
  EXPECT_THAT(FactsText(SomeFacts(), {}),
              AllOf(HasSubstr("# python 3.11.2\n"), HasSubstr("\nnumpy==1.24.2\n")));
}

TEST(EnvironmentFacts, ComeBackAsTheyWere) {
  EnvironmentFacts facts = SomeFacts();
  facts.packages = {"numpy==1.24.2"};
  EXPECT_EQ(*ReadStoredFacts(StoredFacts(facts)), facts);
  EXPECT_FALSE(ReadStoredFacts("{}").ok());
  EXPECT_FALSE(ReadStoredFacts("no json").ok());
}

TEST(EnvironmentFacts, HaveARoomThatManyPackagesDoNotExceed) {
  EnvironmentFacts facts = SomeFacts();
  facts.packages.clear();
  for (int i = 0; i < 5000; ++i) facts.packages.push_back("package-" + std::to_string(i) + "==1.0");
  const std::string text = FactsJson(facts, {});
  EXPECT_LE(text.size(), kFactsBytesMax);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["packages_total"], 5000);
  EXPECT_GT(json["packages"].size(), 150u);
  facts.kind = "node";
  EXPECT_LT(FactsJson(facts, {}).size(), 300u) << "of a node's own there is the digest alone";
}

TEST(CondaPlaces, AreWhereCondaKeepsThem) {
  const auto places = CondaPlaces("ml", "/opt/forge/condabin/conda", "/home/ada");
  EXPECT_EQ(places[0], "/home/ada/.conda/envs/ml");
  EXPECT_EQ(places[1], "/opt/forge/envs/ml");
  EXPECT_EQ(CondaPlaces("base", "/opt/forge/bin/conda", "")[0], "/opt/forge");
}

}  // namespace
}  // namespace baton::worker
