#include "common/spec/sweep_file.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/match.h"

namespace baton::spec {
namespace {

using Kind = SweepParam::Kind;
using Scale = SweepParam::Scale;

constexpr char kTuning[] = R"(trainingInput:
  scaleTier: CUSTOM
  masterType: standard_gpu
  hyperparameters:
    goal: MAXIMIZE
    hyperparameterMetricTag: acc
    maxTrials: 10
    maxParallelTrials: 2
    params:
      - parameterName: dropout1
        type: DOUBLE
        minValue: 0.2
        maxValue: 0.6
        scaleType: UNIT_LINEAR_SCALE
      - parameterName: units
        type: INTEGER
        minValue: 16
        maxValue: 1024
        scaleType: UNIT_LOG_SCALE
      - parameterName: optimizer
        type: CATEGORICAL
        categoricalValues: [sgd, "adam"]
      - parameterName: batch
        type: DISCRETE
        discreteValues: [32, 64.5]
)";

std::string Mistakes(const std::string& text) {
  return std::string(ReadSweepFile(text, "s.yml").mistakes.ToStatus().message());
}

std::string Changed(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

#define EXPECT_HAS(text, part) EXPECT_TRUE(absl::StrContains(text, part)) << (text)

TEST(Cloudml, TuningIsReadAsItIs) {
  const SweepFile file = ReadSweepFile(kTuning, "tuning.yml");
  ASSERT_TRUE(file.mistakes.empty()) << file.mistakes.ToStatus();
  EXPECT_TRUE(file.cloudml);
  EXPECT_EQ(file.metric, "acc");
  EXPECT_EQ(file.goal, SweepFile::Goal::kMaximize);
  EXPECT_EQ(file.algorithm, SweepFile::Algorithm::kRandom);
  EXPECT_EQ(file.max_trials, 10);
  EXPECT_EQ(file.parallel_trials, 2);
  ASSERT_EQ(file.params.size(), 4u);
  EXPECT_EQ(file.params[0].name, "dropout1");
  EXPECT_EQ(file.params[0].kind, Kind::kDouble);
  EXPECT_EQ(file.params[0].min, 0.2);
  EXPECT_EQ(file.params[0].max, 0.6);
  EXPECT_EQ(file.params[1].kind, Kind::kInteger);
  EXPECT_EQ(file.params[1].scale, Scale::kLog);
  EXPECT_EQ(file.params[2].choices, (std::vector<std::string>{"\"sgd\"", "\"adam\""}));
  EXPECT_EQ(file.params[3].choices, (std::vector<std::string>{"32", "64.5"}));
  EXPECT_TRUE(file.settings.empty());
  ASSERT_EQ(file.warnings.size(), 1u);
  EXPECT_HAS(file.warnings[0], "the search is random");
}

TEST(Cloudml, OneTrialAtATimeUnlessItSaysMore) {
  const SweepFile file = ReadSweepFile(
      Changed(Changed(kTuning, "    maxTrials: 10\n", ""), "    maxParallelTrials: 2\n", ""), "t");
  EXPECT_EQ(file.max_trials, 1);
  EXPECT_EQ(file.parallel_trials, 1);
}

TEST(Cloudml, MistakesHaveTheirLines) {
  EXPECT_HAS(Mistakes(Changed(kTuning, "maxTrials", "maxTrails")), "s.yml:7:");
  EXPECT_HAS(Mistakes(Changed(kTuning, "maxTrials", "maxTrails")), "maxTrials");
  EXPECT_HAS(Mistakes(Changed(kTuning, "minValue: 0.2", "minValue: 0.7")), "s.yml:12:");
  EXPECT_HAS(Mistakes(Changed(kTuning, "minValue: 0.2", "minValue: 0.7")), "is above maxValue");
  EXPECT_HAS(Mistakes(Changed(kTuning, "minValue: 16", "minValue: 0")), "above 0 on a log scale");
  EXPECT_HAS(Mistakes(Changed(kTuning, "minValue: 16", "minValue: 1.5")), "whole number");
  EXPECT_HAS(Mistakes(Changed(kTuning, "goal: MAXIMIZE", "goal: BEST")), "MAXIMIZE or MINIMIZE");
  EXPECT_HAS(Mistakes(Changed(kTuning, "    hyperparameterMetricTag: acc\n", "")),
             "hyperparameterMetricTag: missing");
  EXPECT_HAS(Mistakes(Changed(kTuning, "maxTrials: 10", "maxTrials: 0")), "at least 1");
  EXPECT_HAS(Mistakes(Changed(kTuning, "maxTrials: 10", "maxTrials: 10001")), "at most 10000");
  EXPECT_HAS(Mistakes(Changed(kTuning, "parameterName: units", "parameterName: dropout1")),
             "two parameters dropout1");
  EXPECT_HAS(Mistakes(Changed(kTuning, "type: DISCRETE", "type: DISCREET")), "DISCRETE");
  EXPECT_HAS(Mistakes("trainingInput: {}"), "hyperparameters: missing");
}

TEST(Cloudml, AGridMustKnowItsValues) {
  const std::string grid =
      Changed(kTuning, "    maxTrials: 10\n", "    maxTrials: 10\n    algorithm: GRID_SEARCH\n");
  EXPECT_HAS(Mistakes(grid), "a grid must know which values to try");
}

constexpr char kOwn[] = R"(metric: val_loss
goal: minimize
algorithm: random
max_trials: 20
parallel_trials: 4
seed: 7
params:
  lr: {min: 0.0001, max: 0.1, scale: log}
  layers: {min: 1, max: 4}
  units: [32, 64]
  opt: {values: [sgd, adam]}
entry: train.py
gpus: 1
flags: {epochs: 5}
retries: 1
)";

TEST(OwnForm, IsShorterAndHasTheJobBesideIt) {
  const SweepFile file = ReadSweepFile(kOwn, "s.yml");
  ASSERT_TRUE(file.mistakes.empty()) << file.mistakes.ToStatus();
  EXPECT_EQ(file.metric, "val_loss");
  EXPECT_EQ(file.goal, SweepFile::Goal::kMinimize);
  EXPECT_EQ(file.max_trials, 20);
  EXPECT_EQ(file.parallel_trials, 4);
  EXPECT_EQ(file.seed, 7u);
  ASSERT_EQ(file.params.size(), 4u);
  EXPECT_EQ(file.params[0].kind, Kind::kDouble);
  EXPECT_EQ(file.params[0].scale, Scale::kLog);
  EXPECT_EQ(file.params[1].kind, Kind::kInteger);
  EXPECT_EQ(file.params[2].choices, (std::vector<std::string>{"32", "64"}));
  EXPECT_EQ(file.params[3].choices, (std::vector<std::string>{"\"sgd\"", "\"adam\""}));
  EXPECT_EQ(file.entry, "train.py");
  ASSERT_EQ(file.settings.size(), 3u);
  EXPECT_EQ(file.settings[0].path, (std::vector<std::string>{"resources", "gpus"}));
  EXPECT_EQ(file.settings[0].line, 13);
  EXPECT_EQ(file.settings[1].path, (std::vector<std::string>{"params", "epochs"}));
  EXPECT_EQ(file.settings[2].path, (std::vector<std::string>{"retries"}));
}

TEST(OwnForm, AGridTriesAllUnlessItSaysFewer) {
  const SweepFile file = ReadSweepFile(
      "{metric: a, goal: minimize, algorithm: grid, params: {x: {min: 0, max: 1.5, steps: 4}}}",
      "s.json");
  ASSERT_TRUE(file.mistakes.empty()) << file.mistakes.ToStatus();
  EXPECT_EQ(file.max_trials, 4);
  EXPECT_EQ(file.params[0].steps, 4);
  const auto trials = [](const std::string& more) {
    const SweepFile grid = ReadSweepFile(
        "{metric: a, goal: minimize, algorithm: grid, command: [a], params: {" + more, "s.json");
    EXPECT_TRUE(grid.mistakes.empty()) << grid.mistakes.ToStatus();
    return grid.max_trials;
  };
  EXPECT_EQ(trials("x: [1, 2, 3], y: {min: 1, max: 2}}}"), 6);
  EXPECT_EQ(trials("x: [1, 2, 3], y: {min: 1, max: 2}}, max_trials: 4}"), 4);
  EXPECT_EQ(trials("x: {min: 1, max: 1000000}, y: {min: 1, max: 1000000}}}"), kTrialsMax);
  EXPECT_EQ(trials("x: [1]}, data: {d: ./photos}}"), 1) << "data is the job's";
}

TEST(OwnForm, MistakesHaveTheirLines) {
  EXPECT_HAS(Mistakes(Changed(kOwn, "goal: minimize", "goal: best")), "s.yml:2:");
  EXPECT_HAS(Mistakes(Changed(kOwn, "metric: val_loss\n", "")), "metric: missing");
  EXPECT_HAS(Mistakes(Changed(kOwn, "scale: log", "scale: logarithmic")), "s.yml:8:");
  EXPECT_HAS(Mistakes(Changed(kOwn, "max: 0.1,", "maximum: 0.1,")), "params.lr.max");
  EXPECT_HAS(Mistakes(Changed(kOwn, "units: [32, 64]", "units: [32, 32]")), "there twice");
  EXPECT_HAS(Mistakes(Changed(kOwn, "units: [32, 64]", "units: 32")), "must be a list");
  EXPECT_HAS(Mistakes(Changed(kOwn, "entry: train.py", "entry: train.py\njob: a.yaml")),
             "one of job, entry and command");
  EXPECT_HAS(Mistakes(Changed(kOwn, "retries: 1", "model: {}")), "a file of its own");
  EXPECT_HAS(Mistakes("{metric: a, goal: minimize, params: {}}"), "is empty");
  EXPECT_HAS(
      Mistakes("{metric: a, goal: minimize, algorithm: grid, params: {x: {min: 0, max: 1.5}}}"),
      "a grid must know which values to try");
  EXPECT_HAS(Mistakes("[1]"), "must be a map");
}

}  // namespace
}  // namespace baton::spec
