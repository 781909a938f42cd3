#include "client/job_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "common/atomic_file.h"
#include "common/spec/machine_types.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class JobSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    top_ = (fs::temp_directory_path() / "job_source_test").string();
    fs::remove_all(top_);
    fs::create_directories(top_ + "/.git");
  }
  void Write(const std::string& name, const std::string& text = "x") {
    fs::create_directories(fs::path(Path(name)).parent_path());
    ASSERT_TRUE(WriteFileAtomically(Path(name), text).ok());
  }
  std::string Path(const std::string& name) { return top_ + "/" + name; }
  // Without mistakes.
  JobSource Read(const JobSourceOptions& options) {
    absl::StatusOr<JobSource> source = ReadJobSource(options);
    EXPECT_TRUE(source.ok()) << source.status();
    if (!source.ok()) return {};
    EXPECT_TRUE(source->reading.mistakes.empty()) << source->reading.mistakes.ToStatus();
    return *std::move(source);
  }
  std::string ErrorOf(const JobSourceOptions& options) {
    absl::StatusOr<JobSource> source = ReadJobSource(options);
    if (!source.ok()) return std::string(source.status().message());
    return std::string(source->reading.mistakes.ToStatus().message());
  }
  std::string top_;
};

TEST_F(JobSourceTest, DataOfTheProjectsFileLiesBesideIt) {
  Write("baton.yml",
        "data: {d: ./photos, e: pushed, f: photos, g: s3://bucket/k}\nflags: {x: 1}\n");
  Write("photos/a");
  Write("sub/train.py");
  spec::Overrides overrides;
  overrides.settings.push_back(
      {.source = "--data h=./x", .path = {"data", "h"}, .value = spec::PlainValue("./x")});
  const auto data =
      Read({.target = Path("sub/train.py"), .overrides = overrides}).reading.spec.data;
  ASSERT_EQ(data.size(), 5u);
  EXPECT_EQ(data[0].uri, Path("photos"));
  EXPECT_EQ(data[1].uri, "pushed");
  EXPECT_EQ(data[2].uri, Path("photos"));
  EXPECT_EQ(data[3].uri, "s3://bucket/k");
  EXPECT_EQ(data[4].uri, "./x");
}

TEST_F(JobSourceTest, AScriptsEndingTellsWhatRunsIt) {
  for (const char* name : {"my train.py", "fit.R", "nb.ipynb"}) Write(name);
  Write("a.sh", "echo\n");
  Write("b.sh", "#!/usr/bin/env dash\n");
  Write("tool",
        "\x7f"
        "ELF");
  fs::permissions(Path("tool"), fs::perms::owner_all);
  const auto command_of = [&](const std::string& name) {
    return Read({.target = Path(name), .arguments = {"--x", "1"}}).reading.spec.command;
  };
  EXPECT_THAT(command_of("my train.py"), ElementsAre("python3", "my train.py", "--x", "1"));
  EXPECT_THAT(command_of("fit.R"), ElementsAre("Rscript", "fit.R", "--x", "1"));
  EXPECT_THAT(command_of("a.sh"), ElementsAre("bash", "a.sh", "--x", "1"));
  EXPECT_THAT(command_of("b.sh"), ElementsAre("dash", "b.sh", "--x", "1"));
  EXPECT_THAT(command_of("tool"), ElementsAre("./tool", "--x", "1"));
  const auto notebook = command_of("nb.ipynb");
  EXPECT_THAT(notebook[2], HasSubstr("nbconvert --to notebook --execute --output-dir"));
  EXPECT_EQ(notebook[4], "nb.ipynb");
  const JobSource source = Read({.target = Path("my train.py")});
  EXPECT_EQ(source.reading.spec.name, "my-train");
  EXPECT_EQ(source.folder, top_);
}

TEST_F(JobSourceTest, WhatCannotRunIsSaid) {
  Write("notes.txt");
  Write("src/train.py");
  Write("other/x");
  EXPECT_THAT(ErrorOf({.target = Path("nope.py")}), HasSubstr("nope.py; mend the path, or write"));
  EXPECT_THAT(ErrorOf({.target = Path("notes.txt")}),
              HasSubstr("not executable; `chmod +x` it, or write what runs it"));
  EXPECT_THAT(ErrorOf({.target = Path("src")}), HasSubstr("is a folder; name the script"));
  EXPECT_THAT(ErrorOf({.target = "/dev/null"}), HasSubstr("is no plain file"));
  EXPECT_THAT(ErrorOf({.target = Path("src/train.py"), .folder = Path("other")}),
              HasSubstr("lies outside of --folder"));
  EXPECT_THAT(ErrorOf({.target = Path("src/train.py"), .folder = Path("none")}),
              HasSubstr("mend --folder"));
  EXPECT_THAT(ErrorOf({.folder = Path("other")}), HasSubstr("nothing to run is named"));
  EXPECT_THAT(ErrorOf({.target = Path("job.yaml"), .arguments = {"x"}}),
              HasSubstr("`x` stands behind the spec"));
}

TEST_F(JobSourceTest, TheFolderIsTheScriptsOrTheOneThatIsNamed) {
  Write("src/deep/train.py");
  const JobSource whole = Read({.target = Path("src/deep/train.py"), .folder = Path("src")});
  EXPECT_THAT(whole.reading.spec.command, ElementsAre("python3", "deep/train.py"));
  EXPECT_EQ(whole.folder, Path("src"));
  EXPECT_EQ(whole.reading.spec.entry, "deep/train.py") << "packing asks whether it is sent";
  const JobSource words =
      Read({.command = {"python", "-u", "a/fit.py", "--lr", "1"}, .folder = Path("src")});
  EXPECT_EQ(words.reading.spec.name, "fit");
  EXPECT_THAT(words.reading.spec.command, ElementsAre("python", "-u", "a/fit.py", "--lr", "1"));
  EXPECT_EQ(Read({.command = {"/bin/true"}, .folder = Path("src")}).reading.spec.name, "true");
}

TEST_F(JobSourceTest, ABatonYmlAboveHasSettingsThatTheCommandLineBeats) {
  Write("src/train.py");
  Write("baton.yml",
        "entry: other.py\ngpus: h100:2\ncpus: 4\nretries: 7\nenv: {A: file, B: file}\n"
        "require: {site: lab}\nflags: {lr: 0.1}\n");
  JobSourceOptions options = {.target = Path("src/train.py")};
  options.overrides.settings = {spec::FlagSetting("--cpus", "2", {"resources", "cpus"}),
                                spec::MapSetting("--env", "A=flag", "env"),
                                spec::MapSetting("--require", "zone.x=a", "require")};
  const JobSource source = Read(options);
  const spec::JobSpec& job = source.reading.spec;
  EXPECT_EQ(job.name, "train");
  EXPECT_THAT(job.command, ElementsAre("python3", "train.py"));
  EXPECT_EQ(job.resources.gpus, 2);
  EXPECT_EQ(job.resources.gpu_type, "h100");
  EXPECT_EQ(job.resources.cpu_millis, 2000);
  EXPECT_EQ(job.retries, 7);
  EXPECT_EQ(job.env.at("A") + job.env.at("B"), "flagfile");
  EXPECT_EQ(job.require.at("site") + job.require.at("zone.x"), "laba");
  EXPECT_EQ(job.params_json, R"({"lr":0.1})");
  EXPECT_EQ(source.folder, Path("src"));
}

TEST_F(JobSourceTest, WithoutATargetTheBatonYmlSaysWhatRuns) {
  Write("proj/baton.yml", "entry: src/fit.R\n");
  Write("proj/deep/x");
  const JobSource source = Read({.folder = Path("proj")});
  EXPECT_EQ(source.reading.spec.name, "fit");
  EXPECT_THAT(source.reading.spec.command, ElementsAre("Rscript", "src/fit.R"));
  EXPECT_EQ(FindProjectFile(Path("proj/deep")), Path("proj/baton.yml"));
  Write("proj/baton.yml", "command: [make, train]\n");
  EXPECT_EQ(Read({.folder = Path("proj")}).reading.spec.name, "proj");
  Write("proj/baton.yml", "retries: 1\n");
  EXPECT_THAT(ErrorOf({.folder = Path("proj")}), HasSubstr("nor `command`"));
}

TEST_F(JobSourceTest, AProjectFileIsNotLookedForAboveARepository) {
  Write("baton.yml", "retries: 1\n");
  Write("inner/.git/x");
  Write("inner/src/train.py");
  EXPECT_EQ(FindProjectFile(Path("inner/src")), "");
  Write("inner/baton.yml", "retries: 2\n");
  EXPECT_EQ(FindProjectFile(Path("inner/src")), Path("inner/baton.yml"));
}

TEST_F(JobSourceTest, FlagsComeFromTheFileTheSpecAndTheCommandLine) {
  Write("train.R", "FLAGS <- flags(flag_numeric('dropout', 0.4), flag_integer(\"units\", 8))\n");
  Write("flags.yml",
        "default: {dropout: 0.4, units: 8, seed: 1}\ncloudml: {units: 16, data: /srv}\n"
        "baton: {seed: 2}\nlocal: {units: 1}\n");
  Write("baton.yml", "flags: {data: /mnt}\n");
  JobSourceOptions options = {.target = Path("train.R")};
  options.overrides.settings = {spec::MapSetting("--flag", "dropout=0.3", "params"),
                                spec::MapSetting("--flag", "dropuot=0.3", "params")};
  const JobSource source = Read(options);
  EXPECT_EQ(source.reading.spec.params_json,
            R"({"data":"/mnt","dropout":0.3,"dropuot":0.3,"seed":2,"units":16})");
  EXPECT_THAT(source.warnings, ElementsAre(HasSubstr("--flag dropuot: neither the script nor")));
  Write("flags.yml", "a: [\n");
  EXPECT_THAT(ErrorOf(options), HasSubstr("flags.yml:2: not YAML"));
}

TEST_F(JobSourceTest, CloudmlsMachinesAreResources) {
  Write("train.R");
  Write("cloudml.yml", "trainingInput:\n  scaleTier: CUSTOM\n  masterType: my_lab\n");
  Write("types.yml", "my_lab: {gpus: h100:2, cpus: 6}\nstandard_gpu: {gpus: 3}\n");
  ASSERT_EQ(::setenv(spec::kMachineTypesVariable, Path("types.yml").c_str(), 1), 0);
  JobSourceOptions options = {.target = Path("train.R")};
  options.config = top_;  // a folder with a cloudml.yml
  options.overrides.settings = {spec::FlagSetting("--cpus", "5", {"resources", "cpus"})};
  spec::Resources resources = Read(options).reading.spec.resources;
  EXPECT_EQ(resources.gpus, 2);
  EXPECT_EQ(resources.gpu_type, "h100");
  EXPECT_EQ(resources.cpu_millis, 5000);
  options.config.clear();
  options.master_type = "standard_gpu";
  EXPECT_EQ(Read(options).reading.spec.resources.gpus, 3);
  options.config = Path("none.yml");
  EXPECT_THAT(ErrorOf(options), HasSubstr("none.yml: "));
  Write("types.yml", "my_lab: {gpu: 1}\n");
  EXPECT_THAT(ErrorOf(options), HasSubstr("types.yml:1: the machine my_lab must be a map"));
  ASSERT_EQ(::unsetenv(spec::kMachineTypesVariable), 0);
}

TEST_F(JobSourceTest, AScriptOfSlurmBeatsTheProjectAndGivesWayToTheFileThatNamesIt) {
  Write("run.sh", "#!/bin/bash\n#SBATCH --time=5 --job-name=x --array=1\n#SBATCH -p gpu\n");
  Write("baton.yml", "entry: run.sh\ntime_limit: 1h\n");
  EXPECT_THAT(ErrorOf({.target = Path("run.sh")}), HasSubstr("run.sh:2: #SBATCH --array=1: "));
  Write("run.sh", "#!/bin/bash\n#SBATCH --time=5 --job-name=x\n#SBATCH -p gpu\n");
  const JobSource script = Read({.target = Path("run.sh")});
  EXPECT_EQ(script.reading.spec.time_limit_ms, 300'000);
  EXPECT_EQ(script.reading.spec.name, "x");
  EXPECT_TRUE(script.reading.spec.slurm);
  EXPECT_THAT(script.warnings, ElementsAre(HasSubstr("run.sh:3: #SBATCH -p gpu is ignored")));
  const JobSource project = Read({.folder = top_});
  EXPECT_EQ(project.reading.spec.time_limit_ms, 3'600'000);
  EXPECT_EQ(project.reading.spec.name, "x");
  EXPECT_TRUE(project.reading.spec.slurm);
}

TEST_F(JobSourceTest, MistakesHaveTheirPlaces) {
  Write("train.py");
  Write("baton.yml", "gpus: many\nenvironment: x\nresources: {gpus: 1}\nrankz: 2\n");
  JobSourceOptions options = {.target = Path("train.py")};
  options.overrides.settings = {spec::FlagSetting("--time-limit", "soon", {"time_limit"}),
                                spec::MapSetting("--env", "novalue", "env")};
  const std::string text = ErrorOf(options);
  EXPECT_THAT(text, HasSubstr("baton.yml:1: gpus: given beside resources.gpus, in line 3"));
  EXPECT_THAT(text, HasSubstr("baton.yml:2: environment: unknown value 'x'; use none"));
  EXPECT_THAT(text, HasSubstr("baton.yml:4: rankz: unknown field; did you mean ranks?"));
  EXPECT_THAT(text, HasSubstr("--time-limit soon: time_limit: must be a duration"));
  EXPECT_THAT(text, HasSubstr("--env novalue: must be NAME=VALUE, e.g. --env MODE=fast"));
}

}  // namespace
}  // namespace baton::client
