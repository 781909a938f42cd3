#include "client/folder.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "common/atomic_file.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;

TEST(MadeFolders, TakesAwayWhatStayedEmpty) {
  const std::string top = ::testing::TempDir() + "/made_folders";
  fs::remove_all(top);
  fs::create_directories(top);
  {
    MadeFolders made;
    ASSERT_TRUE(made.Make(top + "/a/b", "--to").ok());
    ASSERT_TRUE(made.Make(top + "/c/d/", "--to").ok());
    ASSERT_TRUE(made.Make(top, "--to").ok());
    MadeFolders kept;
    ASSERT_TRUE(kept.Make(top + "/e", "--to").ok());
    kept.Keep();
    ASSERT_TRUE(WriteFileAtomically(top + "/c/x", "x").ok());
  }
  EXPECT_FALSE(fs::exists(top + "/a"));
  EXPECT_FALSE(fs::exists(top + "/c/d"));
  EXPECT_TRUE(fs::exists(top + "/e"));
  EXPECT_TRUE(fs::exists(top + "/c/x"));
}

TEST(MadeFolders, WhatCantBeAFolderIsAWrongFlag) {
  const std::string file = ::testing::TempDir() + "/made_folders_file";
  ASSERT_TRUE(WriteFileAtomically(file, "x").ok());
  for (const std::string& path : {file, file + "/x", std::string("/proc/nope")}) {
    MadeFolders made;
    const absl::Status status = made.Make(path, "--to");
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(std::string(status.message()).find("give another --to"), std::string::npos);
  }
}

TEST(AsUsage, AFullDiskStaysOne) {
  EXPECT_TRUE(absl::IsResourceExhausted(AsUsage(absl::ResourceExhaustedError("full"), "--to")));
}

}  // namespace
}  // namespace baton::client
