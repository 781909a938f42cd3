#include "worker/setup/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "worker/setup/key.h"
#include "worker/setup/steps.h"

namespace baton::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Files = std::map<std::string, std::string>;

PackedFolder FolderOf(const Files& files) {
  PackedFolder folder;
  for (const auto& [path, text] : files) folder.files.insert(path);
  folder.read = [files](const std::string& path) { return files.at(path); };
  return folder;
}

EnvironmentPlan PlanOf(const std::string& file, const std::vector<std::string>& setup,
                       const Files& files) {
  TaskSpec spec;
  spec.command = {"python3", "train.py"};
  spec.environment_file = file;
  spec.setup = setup;
  const auto plan = PlanEnvironment(spec, FolderOf(files));
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.value_or(EnvironmentPlan());
}

TEST(EnvironmentPlan, TheInstallerFollowsFromTheFilesName) {
  EXPECT_EQ(PlanOf("requirements.txt", {}, {{"requirements.txt", ""}}).installer,
            Installer::kRequirements);
  EXPECT_EQ(PlanOf("requirements-gpu.txt", {}, {{"requirements-gpu.txt", ""}}).installer,
            Installer::kRequirements);
  EXPECT_EQ(PlanOf("uv.lock", {}, {{"uv.lock", ""}}).installer, Installer::kUvLock);
  EXPECT_EQ(PlanOf("environment.yml", {}, {{"environment.yml", ""}}).installer, Installer::kConda);
  EXPECT_EQ(PlanOf("renv.lock", {}, {{"renv.lock", ""}}).installer, Installer::kRenv);
  EXPECT_EQ(PlanOf("", {"true"}, {}).installer, Installer::kNone);
  TaskSpec spec;
  spec.environment_file = "poem.txt";
  EXPECT_THAT(std::string(PlanEnvironment(spec, FolderOf({{"poem.txt", ""}})).status().message()),
              HasSubstr("nothing is installed from poem.txt"));
  spec.environment_file = "requirements.txt";
  EXPECT_THAT(std::string(PlanEnvironment(spec, FolderOf({})).status().message()),
              HasSubstr("is not in the package"));
}

TEST(EnvironmentPlan, CoversWhatARequirementsFileNames) {
  const Files files = {{"requirements.txt",
                        "torch==2.5  # not ./wheels\n-r more/base.txt\n--find-links ./wheels\n"
                        "datasets\n./local/x.whl ; python_version > '3'\n"},
                       {"more/base.txt", "-c limits.txt\n"},
                       {"more/limits.txt", "numpy<2\n"},
                       {"wheels/a.whl", "a"},
                       {"wheels/b.whl", "b"},
                       {"local/x.whl", "x"},
                       {"datasets/huge.bin", "data"},
                       {"train.py", "import torch"}};
  const EnvironmentPlan plan = PlanOf("requirements.txt", {}, files);
  EXPECT_THAT(plan.covered, ElementsAre("local/x.whl", "more/base.txt", "more/limits.txt",
                                        "requirements.txt", "wheels/a.whl", "wheels/b.whl"))
      << "a package of the name of a folder is no folder";
  EXPECT_FALSE(plan.covers_all);
}

TEST(EnvironmentPlan, AnEditableInstallCoversTheWholeFolder) {
  const Files files = {{"requirements.txt", "-e .\n"}, {"train.py", ""}, {"src/a.py", ""}};
  const EnvironmentPlan plan = PlanOf("requirements.txt", {}, files);
  EXPECT_TRUE(plan.covers_all);
  EXPECT_THAT(plan.covered, ElementsAre("requirements.txt", "src/a.py", "train.py"));
  EXPECT_TRUE(PlanOf("", {"pip install ."}, files).covers_all);
  EXPECT_TRUE(PlanOf("", {"make -C ../other"}, files).covers_all) << "out of the folder";
  EXPECT_FALSE(PlanOf("", {"pip install einops"}, files).covers_all);
}

TEST(EnvironmentPlan, CoversWhatCommandsAndTheirScriptsName) {
  const Files files = {{"tools/setup.sh", "#!/bin/sh\npython3 build.py\n cat ../data.cfg\n"},
                       {"tools/build.py", "print(1)"},
                       {"data.cfg", ""},
                       {"Makefile", "all:\n\tcc ext/a.c\n"},
                       {"ext/a.c", "int a;"},
                       {"train.py", ""}};
  const EnvironmentPlan plan = PlanOf("", {"sh tools/setup.sh && make"}, files);
  EXPECT_THAT(plan.covered,
              ElementsAre("Makefile", "data.cfg", "ext/a.c", "tools/build.py", "tools/setup.sh"))
      << "with what make reads by itself";
  EXPECT_FALSE(plan.covers_all);
}

TEST(EnvironmentPlan, ALockOfUvCoversItsLocalPackages) {
  const Files files = {{"uv.lock",
                        "[[package]]\nsource = { editable = \"libs/x\" }\n[[package]]\n"
                        "source = { virtual = \".\" }\n"},
                       {"pyproject.toml", "[project]\n"},
                       {"libs/x/a.py", ""},
                       {"train.py", ""}};
  EXPECT_THAT(PlanOf("uv.lock", {}, files).covered,
              ElementsAre("libs/x/a.py", "pyproject.toml", "uv.lock"));
}

NodeTools SomeTools() {
  NodeTools tools;
  tools.python = "/usr/bin/python3";
  tools.python_version = "3.11.2";
  tools.python_platform = "linux-x86_64";
  tools.python_prefix = "/usr";
  tools.python_packages = "aa";
  tools.python_has_venv = tools.python_has_pip = true;
  tools.machine = "x86_64";
  tools.libc = "glibc 2.36";
  tools.system = "debian 12";
  return tools;
}

KeyParts SomeParts() {
  KeyParts parts;
  parts.plan = PlanOf("requirements.txt", {}, {{"requirements.txt", "a"}});
  parts.tools = SomeTools();
  parts.covered = {{"requirements.txt", "1"}};
  return parts;
}

TEST(EnvironmentKey, FollowsAllThatTheContentDependsOn) {
  const std::string key = EnvironmentKey(SomeParts());
  EXPECT_EQ(key.size(), 64u);
  EXPECT_EQ(EnvironmentKey(SomeParts()), key);
  const auto other = [&](const std::function<void(KeyParts&)>& change) {
    KeyParts parts = SomeParts();
    change(parts);
    return EnvironmentKey(parts) != key;
  };
  EXPECT_TRUE(other([](KeyParts& p) { p.covered[0].second = "2"; }));
  EXPECT_TRUE(other([](KeyParts& p) { p.covered.emplace_back("base.txt", "1"); }));
  EXPECT_TRUE(other([](KeyParts& p) { p.plan.setup = {"make"}; }));
  EXPECT_TRUE(other([](KeyParts& p) { p.plan.installer = Installer::kUvLock; }));
  EXPECT_TRUE(other([](KeyParts& p) { p.tools.python_version = "3.12.1"; }));
  EXPECT_TRUE(other([](KeyParts& p) { p.tools.python_packages = "bb"; }))
      << "what the node's Python has is not installed";
  EXPECT_TRUE(other([](KeyParts& p) { p.tools.machine = "aarch64"; }));
  EXPECT_TRUE(other([](KeyParts& p) { p.tools.libc = "glibc 2.31"; }));
  EXPECT_TRUE(other([](KeyParts& p) { p.variables = {{"PIP_INDEX_URL", "x"}}; }));
  EXPECT_FALSE(other([](KeyParts& p) { p.tools.system = "ubuntu 22.04"; })) << "no commands";
  EXPECT_FALSE(other([](KeyParts& p) { p.tools.conda = "/opt/conda/bin/conda"; }));
  EXPECT_NE(KeyAt(key, "/a"), KeyAt(key, "/b"));
}

TEST(EnvironmentKey, PartsDoNotRunTogether) {
  KeyParts one = SomeParts(), two = SomeParts();
  one.plan.setup = {"a", "b"};
  two.plan.setup = {"ab"};
  EXPECT_NE(EnvironmentKey(one), EnvironmentKey(two));
}

TEST(EnvironmentKey, OnlyVariablesThatMatterAreSeen) {
  TaskSpec spec;
  spec.environment = {{"LR", "0.1"}, {"PIP_INDEX_URL", "u"}, {"TOKEN", "t"}, {"MINE", "m"}};
  spec.setup = {"curl -H \"$MINE\" example.org"};
  EXPECT_THAT(SetupVariables(spec),
              ElementsAre(std::pair<std::string, std::string>("MINE", "m"),
                          std::pair<std::string, std::string>("PIP_INDEX_URL", "u")));
}

std::string Titles(const EnvironmentPlan& plan, const NodeTools& tools) {
  const auto steps = StepsOf(plan, tools, "/e/env");
  if (!steps.ok()) return std::string(steps.status().message());
  std::string text;
  for (const SetupStep& step : *steps) text += step.title + "\n";
  return text;
}

TEST(EnvironmentSteps, PipAndUv) {
  const EnvironmentPlan plan = PlanOf("requirements.txt", {"make"}, {{"requirements.txt", ""}});
  NodeTools tools = SomeTools();
  EXPECT_EQ(Titles(plan, tools), "python3 -m venv\npip install -r requirements.txt\nmake\n");
  const auto steps = StepsOf(plan, tools, "/e/env");
  EXPECT_THAT((*steps)[0].argv,
              ElementsAre("/usr/bin/python3", "-m", "venv", "--system-site-packages", "/e/env"));
  EXPECT_THAT((*steps)[2].argv, ElementsAre("/bin/sh", "-e", "-c", "make"));
  tools.uv = "/usr/bin/uv";
  EXPECT_EQ(Titles(plan, tools), "python3 -m venv\nuv pip install -r requirements.txt\nmake\n");
  tools.python_has_venv = false;
  const auto lacking = StepsOf(plan, tools, "/e/env").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(lacking)) << lacking;
  EXPECT_THAT(std::string(lacking.message()), HasSubstr("apt install python3-venv"));
}

TEST(EnvironmentSteps, WhatANodeLacksIsNamed) {
  NodeTools tools = SomeTools();
  EXPECT_THAT(Titles(PlanOf("uv.lock", {}, {{"uv.lock", ""}}), tools), HasSubstr("it has no uv"));
  EXPECT_THAT(Titles(PlanOf("environment.yml", {}, {{"environment.yml", ""}}), tools),
              HasSubstr("it has no conda, mamba or micromamba"));
  const EnvironmentPlan renv = PlanOf("renv.lock", {}, {{"renv.lock", ""}});
  EXPECT_THAT(Titles(renv, tools), HasSubstr("it has no Rscript"));
  tools.rscript = "/usr/bin/Rscript";
  EXPECT_THAT(Titles(renv, tools), HasSubstr("install.packages('renv')"));
  tools.r_has_renv = true;
  EXPECT_EQ(Titles(renv, tools), "renv::restore of renv.lock\n");
  EXPECT_THAT((*StepsOf(renv, tools, "/e/it's"))[0].argv.back(), HasSubstr("'/e/it\\'s/library'"));
  tools.conda = "/opt/bin/micromamba";
  const auto steps = StepsOf(PlanOf("environment.yml", {}, {{"environment.yml", ""}}), tools, "/e");
  EXPECT_THAT((*steps)[0].argv, ElementsAre("/opt/bin/micromamba", "create", "-y", "-p", "/e", "-f",
                                            "environment.yml"));
}

TEST(EnvironmentSteps, CommandsAloneGetAVirtualEnvironmentWhereThereIsPython) {
  const EnvironmentPlan plan = PlanOf("", {"pip install einops"}, {});
  NodeTools tools = SomeTools();
  EXPECT_EQ(Titles(plan, tools), "python3 -m venv\npip install einops\n");
  EXPECT_EQ(SurroundingsOf(plan, tools, "/e").programs, "/e/bin");
  tools.python.clear();
  tools.python_has_venv = false;
  EXPECT_EQ(Titles(plan, tools), "pip install einops\n");
  EXPECT_THAT(SurroundingsOf(plan, tools, "/e").variables,
              ElementsAre(std::pair<std::string, std::string>("BATON_ENVIRONMENT_DIR", "/e")));
}

TEST(IsForCommands, TheWayOutOfTheNetworkWithoutItsPassword) {
  for (const char* good : {"HTTPS_PROXY=http://proxy:3128", "no_proxy=localhost",
                           "PIP_INDEX_URL=https://mirror/simple", "UV_DEFAULT_INDEX=https://m"}) {
    EXPECT_TRUE(IsForCommands(good)) << good;
  }
  for (const char* bad :
       {"HTTPS_PROXY=http://me:word@proxy:3128", "PIP_PASSWORD=x", "PIP_INDEX_URL",
        "PIP_INDEX_URL=https://me:word@mirror/simple", "AWS_SECRET_ACCESS_KEY=x"}) {
    EXPECT_FALSE(IsForCommands(bad)) << bad;
  }
}

}  // namespace
}  // namespace baton::worker
