// A user's own program in a spec: entry, command, env, require, short keys and settings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/spec/entry.h"
#include "common/spec/parse.h"
#include "common/spec/write.h"

namespace baton::spec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

JobSpec Good(const std::string& text, const Overrides& overrides = {}) {
  const Reading reading = ReadSpecText(text, "job.yaml", overrides);
  EXPECT_TRUE(reading.mistakes.empty()) << reading.mistakes.ToStatus();
  const absl::StatusOr<JobSpec> again = ParseText(WriteSpec(reading.spec), "again.yaml");
  EXPECT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(WriteSpec(*again), WriteSpec(reading.spec));
  return reading.spec;
}

std::string Bad(const std::string& text, const Overrides& overrides = {}) {
  return std::string(ReadSpecText(text, "job.yaml", overrides).mistakes.ToStatus().message());
}

TEST(Program, AnEntryIsTheCommandThatItsEndingTells) {
  EXPECT_THAT(Good("entry: a/train.py\n").command, ElementsAre("python3", "a/train.py"));
  EXPECT_THAT(Good("entry: tool\n").command, ElementsAre("./tool"));
  EXPECT_THAT(Bad("entry: ../x.py\n"), HasSubstr("below the folder that is packed"));
  EXPECT_THAT(Bad("entry: /x.py\n"), HasSubstr("below the folder that is packed"));
  EXPECT_THAT(Bad("entry: x.py\ncommand: [a]\n"), HasSubstr("entry: given beside `command`"));
  EXPECT_THAT(EntryCommand("-x.py", {}, ""), ElementsAre("python3", "./-x.py"));
  EXPECT_THAT(EntryCommand("x.sh", {"y"}, "#!/bin/zsh -l"), ElementsAre("zsh", "-l", "x.sh", "y"));
  EXPECT_THAT(EntryCommand("x.sh", {}, "#!/usr/bin/env -S ksh"), ElementsAre("ksh", "x.sh"));
  EXPECT_THAT(EntryCommand("x.sh", {}, "#!/usr/bin/env"), ElementsAre("bash", "x.sh"));
  EXPECT_THAT(EntryCommand("x.sh", {}, "#!/usr/bin/python3"), ElementsAre("bash", "x.sh"));
}

TEST(Program, ShortKeysAreThoseOfResources) {
  const JobSpec job = Good(
      "command: [a]\ngpus: a100:2\ngpu_memory: 16GiB\ncpus: 4\nmemory: 8GiB\ndisk: 20GiB\n"
      "require: {site: lab, a.b/c: \"1\"}\n");
  EXPECT_EQ(job.resources.gpus, 2);
  EXPECT_EQ(job.resources.gpu_type, "a100");
  EXPECT_EQ(job.resources.gpu_memory_bytes, int64_t{16} << 30);
  EXPECT_EQ(job.resources.cpu_millis, 4000);
  EXPECT_EQ(job.require.size(), 2u);
  EXPECT_EQ(Good("command: [a]\ncpus: 4\n", {.sets = {"cpus=2"}}).resources.cpu_millis, 2000);
  EXPECT_EQ(Good("command: [a]\ncpus: 4\nresources:\n").resources.cpu_millis, 4000);
  EXPECT_THAT(Bad("command: [a]\nresources: {cpus: 1}\ncpus: 4\n"),
              HasSubstr("job.yaml:3: cpus: given beside resources.cpus, in line 2; remove one"));
  EXPECT_THAT(Bad("command: [a]\ngpuz: 1\n"), HasSubstr("did you mean gpus?"));
  EXPECT_THAT(Bad("command: [a]\nrequire: [site]\n"), HasSubstr("a map of node labels"));
}

TEST(Program, FlagsAreParams) {
  const JobSpec job = Good("command: [a]\nflags: {lr: 0.1}\nparams: {n: 2}\nflags_as: arguments\n",
                           {.sets = {"flags.lr=0.5"}});
  EXPECT_EQ(job.params_json, R"({"lr":0.5,"n":2})");
  JobSpec words = Good(
      "command: [a, b]\nflags_as: arguments\n"
      "flags: {on: true, none: null, list: [1, x], s: \"two words\", f: 1.50}\n");
  EXPECT_THAT(ProgramWords(words),
              ElementsAre("a", "b", "--f=1.5", "--list=[1,\"x\"]", "--on=true", "--s=two words"));
  words.flags_as_arguments = false;
  EXPECT_THAT(ProgramWords(words), ElementsAre("a", "b"));
  EXPECT_THAT(Bad("command: [a]\nflags: {lr: 1}\nparams: {lr: 2}\n"),
              HasSubstr("job.yaml:2: lr: given beside params.lr, in line 3"));
  EXPECT_THAT(Bad("epochs: 1\nflags_as: arguments\n"), HasSubstr("flags_as: only a job with"));
  EXPECT_THAT(Bad("command: [a]\nflags: 3\n"), HasSubstr("flags: must be a map"));
}

struct Shape {
  int64_t min;
  int64_t max;
  int64_t each;
  bool operator==(const Shape&) const = default;
};

Shape ShapeOf(const std::string& fields, const Overrides& overrides = {}) {
  const JobSpec job = Good("command: [a]\n" + fields, overrides);
  EXPECT_EQ(Good(WriteSpec(job)).ranks_per_node, job.ranks_per_node) << WriteSpec(job);
  EXPECT_EQ(Good(WriteSpec(job)).launch, job.launch);
  return {job.ranks.min, job.ranks.max, job.ranks_per_node};
}

TEST(Program, RanksOnNodes) {
  EXPECT_EQ(ShapeOf("ranks: 1..3\n"), (Shape{1, 3, 0}));
  EXPECT_EQ(ShapeOf("nodes: 2\n"), (Shape{2, 2, 1}));
  EXPECT_EQ(ShapeOf("nodes: 2\nranks: 8\n"), (Shape{8, 8, 4}));
  EXPECT_EQ(ShapeOf("nodes: 1\nranks: 4\n"), (Shape{4, 4, 4}));
  EXPECT_EQ(ShapeOf("nodes: 1..4\nranks: 2..8\n"), (Shape{2, 8, 2}));
  EXPECT_EQ(ShapeOf("ranks: 4\n", {.settings = {FlagSetting("--nodes", "2", {"nodes"})}}),
            (Shape{4, 4, 2}));
  EXPECT_THAT(
      Bad("command: [a]\nnodes: 2\nranks: 3\n"),
      HasSubstr("job.yaml:2: nodes: each node has the same number of ranks: 3 on 2 can't be "
                "shared out; with 1 on each they are 2"));
  EXPECT_THAT(Bad("command: [a]\nnodes: 4\nranks: 2\n"), HasSubstr("with 1 on each they are 4"));
  EXPECT_THAT(Bad("command: [a]\nnodes: 2\nranks: 2..4\n"), HasSubstr("can't be shared out"));
  EXPECT_THAT(Bad("command: [a]\nnodes: two\n"), HasSubstr("nodes: must be a whole number"));
}

TEST(Program, ACommandThatStartsTheRanksOfItsNode) {
  EXPECT_EQ(ShapeOf("launch: node\n"), (Shape{1, 1, 1}));
  EXPECT_EQ(ShapeOf("launch: node\nnodes: 1..2\n"), (Shape{1, 2, 1}));
  EXPECT_EQ(Good("command: [a]\nlaunch: node\n").launch, Launch::kNode);
  EXPECT_THAT(Bad("command: [a]\nlaunch: node\nranks: 2\n"),
              HasSubstr("job.yaml:3: ranks: with `launch: node` the command starts the ranks"));
}

TEST(Program, AlternativesOverWhatAllHave) {
  const std::string text =
      "command: [a]\nmemory: 8GiB\nany_of:\n- {gpus: a100:1}\n- {gpus: 2, gpu_type: t4, cpus: 4}\n";
  const JobSpec job = Good(text);
  ASSERT_EQ(job.any_of.size(), 2u);
  EXPECT_EQ(job.any_of[0].gpu_type, "a100");
  EXPECT_EQ(job.any_of[0].cpu_millis, 1000);
  EXPECT_EQ(job.any_of[1].gpus, 2);
  EXPECT_EQ(job.any_of[1].cpu_millis, 4000);
  EXPECT_EQ(job.any_of[1].memory_bytes, int64_t{8} << 30);
  EXPECT_EQ(job.resources.gpu_type, "a100") << "the best is what is asked for first";
  EXPECT_EQ(WriteSpec(Good(WriteSpec(job))), WriteSpec(job));
  const JobSpec other =
      Good(text, {.settings = {FlagSetting("--cpus", "2", {"resources", "cpus"})}});
  EXPECT_EQ(other.any_of[1].cpu_millis, 2000) << "a flag holds for all";
  EXPECT_EQ(other.any_of[1].gpu_type, "t4");
  EXPECT_THAT(Bad("command: [a]\nany_of: {gpus: 1}\n"), HasSubstr("must be a list of resources"));
  EXPECT_THAT(Bad("command: [a]\nany_of: [{gpu_type: t4}]\n"), HasSubstr("`gpus` is 0"));
  EXPECT_THAT(Bad("command: [a]\nany_of: [{gpu: 1}]\n"), HasSubstr("any_of.0.gpu: "));
}

TEST(Program, WhatItRunsInIsReadAndWritten) {
  const JobSpec job =
      Good("command: [a]\nsetup:\n- pip install einops\n- |\n  make\n  make install\n");
  EXPECT_THAT(job.environment.setup, ElementsAre("pip install einops", "make\nmake install\n"));
  EXPECT_THAT(WriteSpec(job),
              HasSubstr("setup: [\"pip install einops\", \"make\\nmake install\\n\"]\n"));
  EXPECT_THAT(Good("command: [a]\nsetup: make\n").environment.setup, ElementsAre("make"));
  EXPECT_EQ(Good("command: [a]\nenvironment: conda:ml\n").environment.use, "conda:ml");
  EXPECT_EQ(Good("command: [a]\nenvironment: venv:~/ml\n").environment.use, "venv:~/ml");
  EXPECT_EQ(Good("command: [a]\nenvironment: none\nsetup: [make]\n").environment.use, "none");
  EXPECT_EQ(Good("command: [a]\nimage: docker.io/a/b:1\n").environment.image, "docker.io/a/b:1");
  EXPECT_THAT(Bad("command: [a]\nenvironment: {A: b}\n"),
              HasSubstr("variables of the program are"));
  EXPECT_THAT(Bad("command: [a]\nenvironment: ml\n"),
              HasSubstr("use none, conda:NAME or venv:PATH"));
  EXPECT_THAT(Bad("command: [a]\nenvironment: venv:ml\n"), HasSubstr("begins with / or ~/"));
  EXPECT_THAT(Bad("command: [a]\nimage: --privileged\n"), HasSubstr("image: must name an image"));
  EXPECT_THAT(Bad("command: [a]\nsetup:\n- a: b\n"), HasSubstr("quote it where it has a colon"));
  EXPECT_THAT(Bad("command: [a]\nsetup: [b]\nimage: c\n"),
              HasSubstr("setup: given beside `image`"));
  EXPECT_THAT(Bad("command: [a]\nsetup: [b]\nenvironment: conda:c\n"),
              HasSubstr("remove one of the two"));
  EXPECT_THAT(Bad("command: [a]\nimage: b\nenvironment: conda:c\n"),
              HasSubstr("a program runs in one of the two"));
  EXPECT_THAT(Bad("model: {}\nsetup: [b]\n"), HasSubstr("setup: only a job with `command`"));
}

TEST(Program, SettingsComeOverTheFileInTheirOrder) {
  Overrides overrides;
  overrides.settings = {
      {.source = "flags.yml", .path = {"params", "a"}, .value = PlainValue("1"), .weak = true},
      {.source = "flags.yml", .path = {"params", "b"}, .value = PlainValue("1"), .weak = true},
      {.source = "flags.yml", .path = {"params", "b"}, .value = PlainValue("2"), .weak = true},
      FlagSetting("--cpus", "3", {"resources", "cpus"}),
      MapSetting("--flag", "c=[1, 2]", "params"),
      MapSetting("--env", "N=007", "env")};
  const JobSpec job = Good("command: [a]\ncpus: 2\nparams: {a: 9}\n", overrides);
  EXPECT_EQ(job.params_json, R"({"a":9,"b":1,"c":[1,2]})");
  EXPECT_EQ(job.resources.cpu_millis, 3000);
  EXPECT_EQ(job.env.at("N"), "007");
}

TEST(Program, ASettingsMistakeNamesItsSourceAndLine) {
  Overrides overrides;
  overrides.settings = {
      {.source = "run.sh", .line = 4, .path = {"ranks"}, .value = PlainValue("x")},
      {.source = "run.sh", .line = 2, .refusal = "has no meaning; remove it"},
      FlagSetting("--gpus", "h100:", {"resources", "gpus"})};
  const std::string text = Bad("command: [a]\n", overrides);
  EXPECT_THAT(text, HasSubstr("run.sh:4: ranks: must be a whole number or a range"));
  EXPECT_THAT(text, HasSubstr("run.sh:2: has no meaning; remove it"));
  EXPECT_THAT(text,
              HasSubstr("--gpus h100:: resources.gpus: must be [TYPE:]N, such as 2 or h100:2"));
}

TEST(Program, NoGpusOverAFileThatWantsSome) {
  const JobSpec job = Good("command: [a]\ngpus: a100:2\ngpu_memory: 1GiB\n",
                           {.settings = {FlagSetting("--gpus", "0", {"resources", "gpus"})}});
  EXPECT_EQ(job.resources.gpus, 0);
  EXPECT_EQ(job.resources.gpu_type, "");
  EXPECT_EQ(job.resources.gpu_memory_bytes, 0);
  EXPECT_THAT(Bad("command: [a]\ngpu_type: a100\n"), HasSubstr("says what GPUs but `gpus` is 0"));
}

TEST(Program, SettingsAloneAreAJob) {
  Overrides overrides = {.default_name = "train"};
  overrides.settings = {
      {.source = "train.py", .path = {"command"}, .value = ListValue({"python3", "train.py"})}};
  const Reading reading = ReadSettings("train.py", overrides);
  EXPECT_TRUE(reading.mistakes.empty()) << reading.mistakes.ToStatus();
  EXPECT_EQ(reading.spec.name, "train");
  EXPECT_TRUE(ReadSpecText("# nothing\n", "baton.yml", overrides).mistakes.empty());
}

}  // namespace
}  // namespace baton::spec
