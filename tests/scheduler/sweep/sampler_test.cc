#include "scheduler/sweep/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "scheduler/sweep/values.h"

namespace baton::sweep {
namespace {

using nlohmann::json;

Param Choice(const std::string& name, std::vector<std::string> choices) {
  Param param;
  param.name = name;
  param.kind = Kind::kChoice;
  param.choices = std::move(choices);
  return param;
}

Param Number(const std::string& name, Kind kind, double min, double max, Scale scale,
             int32_t steps = 0) {
  Param param;
  param.name = name;
  param.kind = kind;
  param.min = min;
  param.max = max;
  param.scale = scale;
  param.steps = steps;
  return param;
}

// All trials in their order, up to `most`.
std::vector<std::string> Draw(const Space& space, int most) {
  std::vector<std::string> drawn;
  std::set<std::string> earlier;
  const Sampler sampler(space);
  for (int index = 1; index <= most; ++index) {
    const Suggestion next = sampler.Suggest(index, earlier);
    EXPECT_EQ(next.params_json.empty(), !next.over.empty());
    if (next.params_json.empty()) break;
    EXPECT_TRUE(earlier.insert(next.params_json).second) << next.params_json << " twice";
    drawn.push_back(next.params_json);
  }
  return drawn;
}

TEST(Grid, TriesEveryPointAndTheLastParameterChangesFirst) {
  Space space;
  space.algorithm = Algorithm::kGrid;
  space.params = {Choice("opt", {"\"sgd\"", "\"adam\""}),
                  Number("layers", Kind::kInteger, 1, 3, Scale::kLinear)};
  const std::vector<std::string> expected = {
      R"({"opt":"sgd","layers":1})",  R"({"opt":"sgd","layers":2})",
      R"({"opt":"sgd","layers":3})",  R"({"opt":"adam","layers":1})",
      R"({"opt":"adam","layers":2})", R"({"opt":"adam","layers":3})"};
  EXPECT_EQ(Draw(space, 100), expected);
  EXPECT_EQ(Sampler(space).points(), 6u);
  EXPECT_EQ(Sampler(space).Suggest(7, {}).over, "all 6 points of the space were tried");
}

TEST(Grid, StepsAreEvenByTheScale) {
  Space space;
  space.algorithm = Algorithm::kGrid;
  space.params = {Number("lr", Kind::kDouble, 0.0001, 0.1, Scale::kLog, 4)};
  EXPECT_EQ(Draw(space, 100), (std::vector<std::string>{R"({"lr":0.0001})", R"({"lr":0.001})",
                                                        R"({"lr":0.01})", R"({"lr":0.1})"}));
  space.params = {Number("p", Kind::kDouble, 0, 1, Scale::kLinear, 3)};
  EXPECT_EQ(Draw(space, 100),
            (std::vector<std::string>{R"({"p":0.0})", R"({"p":0.5})", R"({"p":1.0})"}));
  // Whole numbers that fall together are one.
  space.params = {Number("n", Kind::kInteger, 1, 3, Scale::kLinear, 9)};
  EXPECT_EQ(Draw(space, 100).size(), 3u);
}

Space Mixed(uint64_t seed) {
  Space space;
  space.seed = seed;
  space.params = {Number("lr", Kind::kDouble, 1e-5, 1e-1, Scale::kLog),
                  Number("units", Kind::kInteger, 8, 512, Scale::kLog),
                  Choice("opt", {"\"sgd\"", "\"adam\"", "\"rmsprop\""})};
  return space;
}

TEST(RandomSearch, IsAFunctionOfItsSeed) {
  EXPECT_EQ(Draw(Mixed(7), 50), Draw(Mixed(7), 50));
  EXPECT_NE(Draw(Mixed(7), 50), Draw(Mixed(8), 50));
}

// A sweep that began under an older release goes on under this one: what a seed draws is a promise.
TEST(RandomSearch, TheFirstValuesOfASeedNeverChange) {
  EXPECT_EQ(Draw(Mixed(7), 4),
            (std::vector<std::string>{R"({"lr":0.000344035,"units":56,"opt":"adam"})",
                                      R"({"lr":0.000111087,"units":386,"opt":"rmsprop"})",
                                      R"({"lr":3.28319e-05,"units":12,"opt":"sgd"})",
                                      R"({"lr":0.0038776,"units":20,"opt":"rmsprop"})"}));
  Space space;
  space.seed = 20'240'229;
  space.params = {Number("momentum", Kind::kDouble, 0.5, 0.999, Scale::kReverseLog),
                  Number("layers", Kind::kInteger, 1, 9, Scale::kLinear),
                  Number("rate", Kind::kDouble, 0.001, 1, Scale::kLog, 7),
                  Number("width", Kind::kInteger, 16, 1'024, Scale::kLog, 4),
                  Number("noise", Kind::kDouble, -1, 1, Scale::kLinear)};
  EXPECT_EQ(Draw(space, 4),
            (std::vector<std::string>{
                R"({"momentum":0.765612,"layers":8,"rate":0.0316228,"width":16,"noise":0.886825})",
                R"({"momentum":0.785096,"layers":5,"rate":0.316228,"width":1024,"noise":0.472425})",
                R"({"momentum":0.512835,"layers":8,"rate":1.0,"width":256,"noise":-0.111106})",
                R"({"momentum":0.874586,"layers":6,"rate":0.001,"width":16,"noise":0.243271})"}));
  // The last points of a nearly exhausted space too.
  space.params = {Number("n", Kind::kInteger, 1, 5, Scale::kLinear), Choice("c", {"true", "null"})};
  EXPECT_EQ(
      Draw(space, 11),
      (std::vector<std::string>{R"({"n":3,"c":true})", R"({"n":3,"c":null})", R"({"n":1,"c":null})",
                                R"({"n":4,"c":true})", R"({"n":5,"c":true})", R"({"n":2,"c":null})",
                                R"({"n":5,"c":null})", R"({"n":1,"c":true})", R"({"n":2,"c":true})",
                                R"({"n":4,"c":null})"}));
}

// What was asked before, or is asked again, changes nothing: a scheduler that was killed goes on.
TEST(RandomSearch, DoesNotDependOnWhatWasAskedInBetween) {
  const std::vector<std::string> drawn = Draw(Mixed(7), 20);
  std::set<std::string> earlier(drawn.begin(), drawn.begin() + 10);
  EXPECT_EQ(Sampler(Mixed(7)).Suggest(11, earlier).params_json, drawn[10]);
  EXPECT_EQ(Sampler(Mixed(7)).Suggest(11, earlier).params_json, drawn[10]);
}

TEST(RandomSearch, StaysInsideAndFollowsTheScale) {
  int below = 0;
  int few = 0;
  constexpr int kDraws = 2'000;
  for (const std::string& text : Draw(Mixed(3), kDraws)) {
    const json params = json::parse(text);
    const double lr = params["lr"];
    const int64_t units = params["units"];
    ASSERT_GE(lr, 1e-5);
    ASSERT_LE(lr, 1e-1);
    ASSERT_GE(units, 8);
    ASSERT_LE(units, 512);
    below += lr < 1e-3;
    few += units < 64;
  }
  // The middle of either range by its logarithm: half of the draws lie below it.
  EXPECT_NEAR(below, 1'000, 200);
  EXPECT_NEAR(few, 1'000, 200);
}

TEST(RandomSearch, ReverseLogIsDenseAtTheTop) {
  Space space;
  space.params = {Number("momentum", Kind::kDouble, 0.1, 1, Scale::kReverseLog)};
  int high = 0;
  for (const std::string& text : Draw(space, 1'000)) {
    high += json::parse(text)["momentum"].get<double>() > 0.55;
  }
  EXPECT_GT(high, 650);
}

TEST(RandomSearch, IntegersOfALinearRangeAreAlike) {
  std::map<std::string, int> hits;
  const Values values(Number("n", Kind::kInteger, -2, 2, Scale::kLinear));
  Random random(1);
  for (int i = 0; i < 5'000; ++i) ++hits[values.At(values.DrawNumber(random))];
  ASSERT_EQ(hits.size(), 5u);
  for (const auto& [value, count] : hits) EXPECT_NEAR(count, 1'000, 150) << value;
}

TEST(RandomSearch, TriesEveryPointOfASmallSpaceOnceAndEnds) {
  Space space;
  space.params = {Choice("a", {"1", "2", "3"}), Number("b", Kind::kInteger, 1, 100, Scale::kLog)};
  const std::vector<std::string> drawn = Draw(space, 10'000);
  EXPECT_EQ(drawn.size(), 300u);
  EXPECT_EQ(Sampler(space).Suggest(301, {drawn.begin(), drawn.end()}).over,
            "all 300 points of the space were tried");
}

TEST(RandomSearch, ARangeOfOneValueIsOneValue) {
  Space space;
  space.params = {Number("x", Kind::kDouble, 0.5, 0.5, Scale::kLinear)};
  EXPECT_EQ(Draw(space, 10), std::vector<std::string>{R"({"x":0.5})"});
}

TEST(Values, HaveSixDigitsAndAreJson) {
  Random random(1);
  const Values values(Number("x", Kind::kDouble, 0, 1e6, Scale::kLinear));
  for (int i = 0; i < 200; ++i) {
    const std::string text = values.Draw(random);
    ASSERT_TRUE(json::accept(text)) << text;
    EXPECT_LE(std::count_if(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }),
              8)
        << text;
  }
}

}  // namespace
}  // namespace baton::sweep
