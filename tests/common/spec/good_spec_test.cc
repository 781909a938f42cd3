// What a good spec means, and that its canonical form means the same.
#include <gtest/gtest.h>

#include "common/spec/parse.h"
#include "common/spec/shapes.h"
#include "common/spec/write.h"
#include "tests/common/spec/sample.h"

namespace baton::spec {
namespace {

JobSpec Parsed(const std::string& text, const Overrides& overrides = {}) {
  absl::StatusOr<JobSpec> spec = ParseText(text, "s.yaml", overrides);
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  return spec.ok() ? *std::move(spec) : JobSpec{};
}

std::string SourcePath(const std::string& path) { return std::string(BATON_SOURCE_DIR "/") + path; }

TEST(GoodSpec, FillsInDefaults) {
  const JobSpec spec = Parsed(kSample);
  EXPECT_EQ(spec.name, "small");
  EXPECT_EQ(spec.seed, 1u);
  EXPECT_EQ(spec.ranks.min, 1);
  EXPECT_EQ(spec.ranks.max, 4);
  EXPECT_EQ(spec.retries, 3);
  EXPECT_EQ(spec.capacity, Capacity::kAuto);
  EXPECT_EQ(spec.resources.cpu_millis, 1000);
  EXPECT_EQ(spec.checkpoint.every_steps, 0);
  ASSERT_TRUE(spec.native.has_value());
  EXPECT_EQ(spec.native->shards, 4);
  EXPECT_TRUE(spec.native->shuffle);
  EXPECT_EQ(spec.native->data.classes, 10);
  EXPECT_EQ(std::get<IdxData>(spec.native->data.source).test->labels.uri, "d.gz");
  EXPECT_EQ(spec.native->optimizer.schedule.kind, Schedule::Kind::kStep);
  EXPECT_EQ(spec.native->optimizer.schedule.every_epochs, 3);
}

TEST(GoodSpec, NamesLayersAndTheirInputs) {
  const Model model = Parsed(Spoilt("- relu", "- {name: act, relu: }")).native->model;
  ASSERT_EQ(model.layers.size(), 5u);
  EXPECT_EQ(model.layers[0].name, "conv1");
  EXPECT_EQ(model.layers[0].inputs, std::vector<std::string>{"input"});
  EXPECT_EQ(model.layers[2].name, "act");
  EXPECT_EQ(model.layers[3].name, "flatten1");
  EXPECT_EQ(model.layers[3].inputs, std::vector<std::string>{"act"});
  EXPECT_EQ(std::get<MaxPool>(model.layers[1].op).stride, 2);
}

TEST(GoodSpec, LayersMayBeNamedAsThoseOfTorchvision) {
  const std::string text = Spoilt("- relu",
                                  "- {name: layer1.0.relu, relu: }\n"
                                  "    - {name: features.0, inputs: [layer1.0.relu], relu: }");
  const JobSpec spec = Parsed(text, {.sets = {"model.layers.3.relu={}", "layers.5.dense.out=10"}});
  EXPECT_EQ(spec.native->model.layers[3].name, "features.0");
  EXPECT_EQ(spec.native->model.layers[3].inputs, std::vector<std::string>{"layer1.0.relu"});
  const std::string written = WriteSpec(spec);
  EXPECT_EQ(WriteSpec(Parsed(written)), written);
}

TEST(GoodSpec, PrecisionAndAlgorithmsAreKept) {
  const JobSpec plain = Parsed(kSample);
  EXPECT_EQ(plain.native->model.precision, Precision::kFloat32);
  EXPECT_FALSE(plain.native->fast_algorithms);
  const JobSpec spec = Parsed(kSample, {.sets = {"model.precision=bf16", "algorithms=fast"}});
  EXPECT_EQ(spec.native->model.precision, Precision::kBfloat16);
  EXPECT_TRUE(spec.native->fast_algorithms);
  const std::string written = WriteSpec(spec);
  EXPECT_EQ(WriteSpec(Parsed(written)), written);
  EXPECT_FALSE(ParseText(written, "s.yaml", {.sets = {"model.precision=fp8"}}).ok());
}

TEST(GoodSpec, ADefaultNameAvoidsAGivenOne) {
  const Model model = Parsed(Spoilt("- relu", "- {name: dense1, relu: }")).native->model;
  EXPECT_EQ(model.layers[4].name, "dense2");
}

TEST(GoodSpec, WithoutClassesTheLastLayerTells) {
  EXPECT_EQ(Parsed(Spoilt("  classes: 10\n", "")).native->data.classes, 10);
}

TEST(GoodSpec, DefaultShardsHoldTheFilesOwnRanks) {
  struct {
    const char* ranks;
    int64_t shards;
  } const cases[] = {{"ranks: 1\n", 1}, {"ranks: 2\n", 2},    {"ranks: 3\n", 4},
                     {"ranks: 5\n", 8}, {"ranks: 2..8\n", 8}, {"", 1}};
  for (const auto& c : cases) {
    EXPECT_EQ(Parsed(Spoilt("ranks: 1..4\n", c.ranks)).native->shards, c.shards) << c.ranks;
  }
}

TEST(GoodSpec, ACommandKeepsItsWordsAndParams) {
  const JobSpec spec = Parsed(
      "command: [python3, train.py, 007]\n"
      "env: {A: 1, B: \"\", C: true}\n"
      "params: {lr: 0.1, layers: [1, 2], name: \"7\", on: true, none: null, big: "
      "18446744073709551615}\n"
      "resources: {cpus: 0.5, memory: 2GiB, gpus: 2, gpu_type: a100, gpu_memory: 40GB}\n"
      "time_limit: 1h30m\ncheckpoint: {every_s: 2.5, keep: 5, from: rank0}\n"
      "launch: rank\ncapacity: on-demand\n");
  EXPECT_EQ(spec.command, (std::vector<std::string>{"python3", "train.py", "007"}));
  EXPECT_EQ(spec.env, (std::map<std::string, std::string>{{"A", "1"}, {"B", ""}, {"C", "true"}}));
  EXPECT_EQ(
      spec.params_json,
      R"({"big":18446744073709551615,"layers":[1,2],"lr":0.1,"name":"7","none":null,"on":true})");
  EXPECT_EQ(spec.resources.cpu_millis, 500);
  EXPECT_EQ(spec.resources.memory_bytes, int64_t{2} << 30);
  EXPECT_EQ(spec.resources.gpu_memory_bytes, 40'000'000'000);
  EXPECT_EQ(spec.time_limit_ms, 5'400'000);
  EXPECT_EQ(spec.checkpoint.every_ms, 2500);
  EXPECT_EQ(spec.checkpoint.at_least_ms, 2000);
  EXPECT_EQ(spec.checkpoint.at_most_ms, 600'000);
  EXPECT_EQ(spec.name, "s");
  EXPECT_FALSE(spec.native.has_value());
}

TEST(GoodSpec, CheckpointsAreOnePatternOrAList) {
  const JobSpec chosen = Parsed("command: [a]\ncheckpoint: {every: auto, at_most: 1s}\n");
  EXPECT_EQ(chosen.checkpoint.every_ms, 0);
  EXPECT_EQ(chosen.checkpoint.at_most_ms, 1000);
  EXPECT_EQ(chosen.checkpoint.at_least_ms, 1000) << "one that is not given makes room";
  EXPECT_EQ(Parsed("command: [a]\ncheckpoint: {every: 2m}\n").checkpoint.every_ms, 120'000);

  const JobSpec one = Parsed("command: [a]\ncheckpoints: out/*.pt\n");
  EXPECT_EQ(one.checkpoint_globs, std::vector<std::string>{"out/*.pt"});
  EXPECT_EQ(one.notice_signal, NoticeSignal::kTerm);
  const JobSpec two =
      Parsed("command: [a]\ncheckpoints: [\"*.rds\", lightning_logs/**]\nnotice_signal: none\n");
  EXPECT_EQ(two.checkpoint_globs, (std::vector<std::string>{"*.rds", "lightning_logs/**"}));
  EXPECT_EQ(two.notice_signal, NoticeSignal::kNone);
  const JobSpec set = Parsed("command: [a]\n", {.sets = {"checkpoints=[a.pt, b/**]"}});
  EXPECT_EQ(set.checkpoint_globs, (std::vector<std::string>{"a.pt", "b/**"}));
}

TEST(GoodSpec, MetricsAreExpressionsByName) {
  const JobSpec spec = Parsed("command: [a]\nmetrics: {step: 'at (\\d+)', acc: 'acc=(\\S+)'}\n",
                              {.sets = {"metrics.loss=l=(.)"}});
  ASSERT_EQ(spec.metrics.size(), 3u);
  EXPECT_EQ(spec.metrics[1].name, "acc");
  EXPECT_EQ(spec.metrics[1].pattern, "acc=(\\S+)");
  EXPECT_EQ(spec.metrics[2].pattern, "l=(.)");
}

TEST(GoodSpec, AliasesAreWrittenOut) {
  const JobSpec spec =
      Parsed(Spoilt("{images: c.gz, labels: d.gz}", "*t")
                 .replace(Spoilt("{images: c.gz, labels: d.gz}", "*t").find("{images"), 0, "&t "));
  EXPECT_EQ(std::get<IdxData>(spec.native->data.source).test->images.uri, "a.gz");
}

// Writing is canonical: reading it back and writing again gives the same bytes.
TEST(WriteSpec, ReadsBackTheSame) {
  const std::string texts[] = {
      kSample,
      Spoilt("name: sgd\n  lr: 0.05\n  momentum: 0.9", "name: adam\n  lr: 0.001"),
      Spoilt("{name: step, every_epochs: 3, factor: 0.5}", "cosine"),
      Spoilt("- relu", "- dropout: 0.1"),
      Spoilt("optimizer:", "weights: w.pth\noptimizer:"),
      Spoilt("optimizer:", "weights: {uri: \"file:///w.h5\", sha256: " + std::string(64, 'b') +
                               ", skip: [dense1]}\noptimizer:"),
      Spoilt("  test: {images: c.gz, labels: d.gz}\n", ""),
      Spoilt("a.gz",
             "{uri: \"file:///data/\\u00e9 \\\"x\\\".gz\", sha256: " + std::string(64, 'a') + "}"),
      "command: [a, \"b\\nc\", \"\"]\nenv: {X: \"\\t'\"}\nparams: {a: {b: [1e300, -0.0, 1e22, "
      "\"x\"]}}\ntime_limit: 400d\ncheckpoint: {every_s: 86400.125}\n",
      "command: [a]\ncheckpoint: {every: auto, at_least: 0.5s, at_most: 1h}\n",
      "command: [a]\ncheckpoints: [\"*.pt\", \"a b/**\"]\nnotice_signal: USR1\n",
      "command: [a]\nmetrics: {val/acc: '\\d \"(\\S+)'}\n",
      "command: [a]\nresources: {cpus: 0.001, gpus: 1}\nseed: 18446744073709551615\n",
  };
  for (const std::string& text : texts) {
    const std::string once = WriteSpec(Parsed(text));
    EXPECT_EQ(WriteSpec(Parsed(once)), once);
  }
}

TEST(WriteSpec, KeepsShardsThatOverridesOfRanksDidNotChange) {
  const JobSpec spec = Parsed(kSample, {.sets = {}, .ranks = "2"});
  EXPECT_EQ(spec.native->shards, 4);
  const JobSpec again = Parsed(WriteSpec(spec));
  EXPECT_EQ(again.native->shards, 4);
  EXPECT_EQ(again.ranks.max, 2);
}

TEST(Presets, LeNetHas61706Parameters) {
  absl::StatusOr<JobSpec> spec = ParseFile(SourcePath("trainer/specs/lenet.yaml"));
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(*ParameterCount(spec->native->model), 61'706);
  EXPECT_EQ(spec->native->shards, 4);
  EXPECT_EQ(spec->native->epochs, 16);
  EXPECT_EQ(spec->native->model.divide_by, 255.0);
}

TEST(Presets, MlpIsGood) {
  absl::StatusOr<JobSpec> spec = ParseFile(SourcePath("trainer/specs/mlp.yaml"));
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(*ParameterCount(spec->native->model), 784 * 256 + 256 + 256 * 128 + 128 + 1290);
}

TEST(ParseFile, TellsWhatCannotBeRead) {
  EXPECT_EQ(ParseFile("/no/such.yaml").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ParseFile("/dev/zero").status().code(), absl::StatusCode::kInvalidArgument);
  // Never a code that means "try again": the path is the person's.
  EXPECT_EQ(ParseFile("/dev/null/x.yaml").status(),
            absl::NotFoundError("can't read the spec /dev/null/x.yaml: Not a directory; mend the "
                                "path, or the file"));
  EXPECT_EQ(ParseFile("/" + std::string(300, 'x')).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ParseFile("/").status().message(), "/: is a folder; name the spec file in it");
}

}  // namespace
}  // namespace baton::spec
