#include "client/environment_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace baton::client {
namespace {

using testing::HasSubstr;

class EnvironmentFileTest : public testing::Test {
 protected:
  EnvironmentFileTest() : folder_(testing::TempDir() + "/files." + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder_);
    plan_.spec.command = {"python3", "train.py"};
  }
  ~EnvironmentFileTest() override { std::filesystem::remove_all(folder_); }

  void Add(const std::string& name, const std::string& text = "") {
    std::ofstream(folder_ + "/" + name) << text;
    plan_.files.push_back({name, folder_ + "/" + name});
  }

  const std::string folder_;
  PackagePlan plan_;
};

TEST_F(EnvironmentFileTest, TheMostExactFileIsTaken) {
  EXPECT_EQ(EnvironmentFile(plan_), "");
  Add("environment.yml");
  EXPECT_EQ(EnvironmentFile(plan_), "environment.yml");
  Add("requirements.txt");
  EXPECT_EQ(EnvironmentFile(plan_), "requirements.txt");
  Add("uv.lock");
  EXPECT_EQ(EnvironmentFile(plan_), "uv.lock");
  Add("renv.lock");
  EXPECT_EQ(EnvironmentFile(plan_), "uv.lock") << "the program is Python's";
  plan_.spec.command = {"Rscript", "train.R"};
  EXPECT_EQ(EnvironmentFile(plan_), "renv.lock");
}

TEST_F(EnvironmentFileTest, TheSpecTurnsItOff) {
  Add("requirements.txt");
  plan_.spec.environment.use = "none";
  EXPECT_EQ(EnvironmentFile(plan_), "");
  plan_.spec.environment = {.setup = {}, .use = "", .image = "pytorch/pytorch"};
  EXPECT_EQ(EnvironmentFile(plan_), "");
  EXPECT_EQ(EnvironmentNote(plan_), "");
  plan_.spec.environment = {};
  plan_.spec.command.clear();
  EXPECT_EQ(EnvironmentFile(plan_), "") << "Baton's own trainer needs nothing";
}

TEST_F(EnvironmentFileTest, WhatIsPassedOverIsSaidWithItsReason) {
  Add("requirements.txt", "numpy\n");
  EXPECT_EQ(PassedOver(plan_), "");
  Add("renv.lock");
  Add("environment.yml");
  EXPECT_EQ(PassedOver(plan_),
            "renv.lock (the program is none of R's), environment.yml (requirements.txt goes before "
            "it)");
  EXPECT_THAT(EnvironmentNote(plan_), HasSubstr("off; passed over: renv.lock"));
  plan_.spec.command = {"Rscript", "train.R"};
  EXPECT_THAT(PassedOver(plan_), HasSubstr("requirements.txt (renv.lock goes before it)"));
  plan_.spec.environment.use = "none";
  EXPECT_EQ(PassedOver(plan_), "") << "that was said";
}

TEST_F(EnvironmentFileTest, ALockFileThatNodesDoNotKnowIsNotPassedOverInSilence) {
  Add("poetry.lock");
  EXPECT_EQ(EnvironmentNote(plan_), "passed over: poetry.lock (nodes do not install from it)");
}

TEST_F(EnvironmentFileTest, TheNoteSaysWhatHappensAndHowItIsTurnedOff) {
  Add("requirements.txt",
      "# three\ntorch==2.5 \\\n  --hash=sha256:1\n\n-r more.txt\nnumpy\n-e .\n");
  EXPECT_EQ(EnvironmentNote(plan_),
            "installs requirements.txt (3 packages) on the nodes, once for the same content; "
            "environment: none turns the installing off");
  plan_.spec.environment.setup = {"make"};
  EXPECT_THAT(EnvironmentNote(plan_), HasSubstr("on the nodes, then runs 1 setup command, once"));
  plan_.spec.environment.use = "none";
  EXPECT_EQ(EnvironmentNote(plan_), "runs 1 setup command, once for the same content");
}

}  // namespace
}  // namespace baton::client
