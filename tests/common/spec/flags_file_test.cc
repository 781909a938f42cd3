#include "common/spec/flags_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/spec/parse.h"

namespace baton::spec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string ParamsOf(const std::string& text) {
  Overrides overrides;
  overrides.settings = ReadFlagsFile(text, "flags.yml").settings;
  const Reading reading = ReadSpecText("command: [a]\n", "job.yaml", overrides);
  if (!reading.mistakes.empty()) return std::string(reading.mistakes.ToStatus().message());
  return reading.spec.params_json;
}

TEST(FlagsFile, ASectionOfTheContextBeatsTheDefault) {
  EXPECT_EQ(ParamsOf("default: {a: 1, b: 1, c: 1}\ncloudml: {b: 2, c: 2}\nbaton: {c: x}\n"
                     "other: {a: 9, z: 9}\n"),
            R"({"a":1,"b":2,"c":"x"})");
  EXPECT_EQ(ParamsOf("cloudml:\n  inherits: default\n  b: 2\n"), R"({"b":2})");
}

TEST(FlagsFile, WithoutSectionsItIsAMapOfFlags) {
  EXPECT_EQ(ParamsOf("a: 0.5\nb: [1, 2]\ndefault: 3\n"), R"({"a":0.5,"b":[1,2],"default":3})");
  EXPECT_EQ(ParamsOf(""), "{}");
}

TEST(FlagsFile, MistakesNameItsLine) {
  EXPECT_THAT(ParamsOf("a: 1\na: 2\n"), HasSubstr("flags.yml:2: given twice, first in line 1"));
  EXPECT_THAT(ParamsOf("- a\n"), HasSubstr("flags.yml:1: must be a map of flags"));
  EXPECT_THAT(ParamsOf("a: !expr 1 + 1\n"), HasSubstr("flags.yml:1: the YAML tag !expr"));
  EXPECT_THAT(ParamsOf("default:\n  a: .nan\n"), HasSubstr("flags.yml:2: params.a: "));
}

TEST(DeclaredFlags, OfRAndPython) {
  EXPECT_THAT(DeclaredFlags("flags(flag_numeric(\"drop-out\", 0.4),\n flag_string( name = 'opt'))\n"
                            "parser.add_argument('-l', '--learning-rate', type=float)\n"
                            "click.option(\"--n\") # --not '--' \"--open"),
              ElementsAre("drop_out", "learning_rate", "n", "opt"));
}

TEST(UndeclaredFlags, OnlyWhereSomethingIsDeclared) {
  const std::vector<std::string> flags = {"lr", "momentum"};
  EXPECT_THAT(UndeclaredFlags(flags, {}, "print(1)"), ElementsAre());
  EXPECT_THAT(UndeclaredFlags(flags, {"lr"}, "print(1)"), ElementsAre("momentum"));
  EXPECT_THAT(UndeclaredFlags(flags, {}, "p.add_argument('--lr'); params['momentum']"),
              ElementsAre());
  EXPECT_THAT(UndeclaredFlags(flags, {}, "p.add_argument('--lr'); momentums"),
              ElementsAre("momentum"));
}

}  // namespace
}  // namespace baton::spec
