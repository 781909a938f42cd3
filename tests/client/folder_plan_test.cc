#include "client/folder_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/atomic_file.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class FolderPlanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    top_ = ::testing::TempDir() + "/folder_plan_test";
    fs::remove_all(top_);
    folder_ = top_ + "/work";
    fs::create_directories(folder_);
  }
  void Write(const std::string& name, const std::string& text = "x") {
    fs::create_directories(fs::path(folder_ + "/" + name).parent_path());
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/" + name, text).ok());
  }
  std::vector<std::string> Names(const FolderPlan& plan) {
    std::vector<std::string> names;
    for (const auto& file : plan.files) names.push_back(file.path);
    return names;
  }
  std::string top_;
  std::string folder_;
};

TEST_F(FolderPlanTest, WhatStaysHereIsCountedByItsReason) {
  for (const char* name : {"train.py", ".git/config", "a/__pycache__/x.pyc", "b/__pycache__/x.pyc",
                           "env/pyvenv.cfg", "env/lib/y", "renv/library/R/z", "renv/activate.R",
                           "a.log", "b.log", ".env", ".aws/credentials"}) {
    Write(name);
  }
  Write(".batonignore", "*.log\n");
  ASSERT_EQ(::mkfifo((folder_ + "/pipe").c_str(), 0600), 0);
  fs::create_symlink("nowhere", folder_ + "/dangling");
  const FolderPlan plan = PlanFolder(folder_);
  EXPECT_THAT(plan.mistakes, ElementsAre());
  EXPECT_THAT(Names(plan), ElementsAre(".batonignore", "renv/activate.R", "train.py"));
  EXPECT_THAT(plan.held_back, ElementsAre(".aws/", ".env"));
  EXPECT_EQ(LeftOutText(plan.left_out),
            "2 by .batonignore, 1 .git, 2 __pycache__, 1 broken links, 1 renv/library, 2 secrets, "
            "1 sockets, pipes and devices, 1 virtual environments");
}

TEST_F(FolderPlanTest, ALinkInTheFolderIsSentAsWhatItStandsFor) {
  Write("data/a.csv", "1,2\n");
  Write(".env");
  fs::create_symlink("data/a.csv", folder_ + "/newest.csv");
  fs::create_directory_symlink(folder_ + "/data", folder_ + "/d");
  fs::create_directory_symlink("..", folder_ + "/data/up");  // has no end
  fs::create_symlink(".env", folder_ + "/harmless");
  const FolderPlan plan = PlanFolder(folder_);
  EXPECT_THAT(plan.mistakes, ElementsAre());
  EXPECT_THAT(Names(plan), ElementsAre("d/a.csv", "data/a.csv", "newest.csv"));
  EXPECT_THAT(plan.held_back, ElementsAre(".env", "harmless"));
}

TEST_F(FolderPlanTest, ALinkThatLeavesTheFolderIsAMistake) {
  Write("train.py");
  fs::create_directory(top_ + "/work2");  // a name that begins like the folder's
  fs::create_directory_symlink("../work2", folder_ + "/data");
  fs::create_symlink("/etc/passwd", folder_ + "/users");
  FolderPlan plan = PlanFolder(folder_);
  ASSERT_EQ(plan.mistakes.size(), 2u);
  EXPECT_THAT(plan.mistakes[0], HasSubstr("data is a link that leaves the folder, to "));
  EXPECT_THAT(plan.mistakes[1], HasSubstr("by the line /users in .batonignore"));
  Write(".batonignore", "/users\n/data\n");
  plan = PlanFolder(folder_);
  EXPECT_THAT(plan.mistakes, ElementsAre());
  EXPECT_EQ(plan.left_out[".batonignore"], 2);
}

TEST_F(FolderPlanTest, ALocalClusterBelowStaysHere) {
  for (const std::string& cluster : {std::string("deep/c/"), std::string()}) {
    for (const char* name : {"local.json", "lock", "scheduler/CURRENT", "workers/a/x", "blobs/y"}) {
      Write(cluster + name);
    }
    Write("log/x");  // the user's, until the folder itself holds a cluster
    FolderPlan plan = PlanFolder(folder_);
    if (!cluster.empty()) {
      EXPECT_THAT(Names(plan), ElementsAre("log/x"));
      EXPECT_EQ(plan.left_out["a local cluster"], 1);
    } else {
      EXPECT_THAT(Names(plan), ElementsAre());
      EXPECT_EQ(plan.left_out["a local cluster"], 7);
    }
  }
}

TEST_F(FolderPlanTest, AFolderThatIsTooLargeNamesItsFiveLargest) {
  for (int i = 1; i <= 7; ++i) {
    const std::string name = absl::StrCat("d", i, "/x");
    Write(name);
    fs::resize_file(folder_ + "/" + name, int64_t{i} * (30 << 20));  // a hole, no blocks
  }
  const FolderPlan plan = PlanFolder(folder_);
  ASSERT_EQ(plan.mistakes.size(), 1u);
  EXPECT_THAT(plan.mistakes[0], HasSubstr("has 840 MiB, more than the 512 MiB"));
  EXPECT_THAT(plan.mistakes[0],
              HasSubstr("the largest: d7 (210 MiB), d6 (180 MiB), d5 (150 MiB), d4 (120 MiB), d3 "
                        "(90 MiB); leave out"));
}

TEST_F(FolderPlanTest, WhatCannotBeReadIsAMistake) {
  if (::geteuid() != 0) GTEST_SKIP();
  Write("train.py");
  Write("model.bin");
  fs::permissions(folder_ + "/model.bin", fs::perms::none);
  ASSERT_EQ(::setreuid(65534, static_cast<uid_t>(-1)), 0);  // as another user sees it
  const FolderPlan plan = PlanFolder(folder_);
  ASSERT_EQ(::setreuid(0, static_cast<uid_t>(-1)), 0);
  ASSERT_EQ(plan.mistakes.size(), 1u);
  EXPECT_THAT(plan.mistakes[0], HasSubstr("model.bin can't be read: Permission denied; mend its "
                                          "permissions (chmod u+r), or leave it out by the line "
                                          "/model.bin in .batonignore"));
}

TEST_F(FolderPlanTest, ManyMistakesAreCounted) {
  for (int i = 0; i < 9; ++i) fs::create_symlink("/etc", folder_ + absl::StrCat("/l", i));
  EXPECT_EQ(PlanFolder(folder_).mistakes.back(), "and 4 more files like these can't be sent");
}

}  // namespace
}  // namespace baton::client
