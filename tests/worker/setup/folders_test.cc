#include "worker/setup/folders.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

class FoldersTest : public testing::Test {
 protected:
  FoldersTest() : root_(testing::TempDir() + "/environments." + std::to_string(::getpid())) {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~FoldersTest() override { fs::remove_all(root_); }

  static std::string Key(char c) { return std::string(64, c); }

  static void Make(EnvironmentFolders& folders, const std::string& key, size_t bytes) {
    const auto held = folders.Take(key, nullptr, nullptr);
    ASSERT_TRUE(held.ok());
    ASSERT_FALSE(held->is_made);
    fs::create_directories(held->folder);
    std::ofstream(held->folder + "/file") << std::string(bytes, 'x');
    folders.Made(key);
  }

  const std::string root_;
};

TEST_F(FoldersTest, WhatIsMadeIsSharedAndOutlivesTheWorker) {
  {
    EnvironmentFolders folders(root_, 1 << 30);
    Make(folders, Key('a'), 1000);
    const auto again = folders.Take(Key('a'), nullptr, nullptr);
    EXPECT_TRUE(again->is_made);
    folders.SetStored(Key('a'));
  }
  fs::create_directories(root_ + "/" + std::string(32, 'b'));  // begun, and the worker died
  EnvironmentFolders folders(root_, 1 << 30);
  EXPECT_FALSE(fs::exists(root_ + "/" + std::string(32, 'b')));
  EXPECT_TRUE(folders.Take(Key('a'), nullptr, nullptr)->is_made);
  EXPECT_TRUE(folders.IsStored(Key('a')));
}

// The folder is one that an operator names.
TEST_F(FoldersTest, WhatIsNoneOfOursStays) {
  for (const char* name : {"/myconda", "/0123", "/.cache"}) fs::create_directories(root_ + name);
  fs::create_directories(root_ + "/" + std::string(32, 'B'));
  fs::create_directories(root_ + "/" + std::string(32, 'c') + ".tmp");
  const EnvironmentFolders folders(root_, 0);
  for (const char* name : {"/myconda", "/0123", "/.cache"}) {
    EXPECT_TRUE(fs::exists(root_ + name)) << name;
  }
  EXPECT_TRUE(fs::exists(root_ + "/" + std::string(32, 'B')));
  EXPECT_FALSE(fs::exists(root_ + "/" + std::string(32, 'c') + ".tmp"));
}

TEST_F(FoldersTest, TheLongestUnusedGoesFirstAndWhatIsUsedStays) {
  EnvironmentFolders folders(root_, 150'000);
  for (const char c : {'a', 'b', 'c'}) Make(folders, Key(c), 100'000);
  folders.Release(Key('a'));
  EXPECT_TRUE(fs::exists(folders.FolderOf(Key('a'))));
  folders.Release(Key('b'));
  EXPECT_FALSE(fs::exists(folders.FolderOf(Key('a')))) << "two idle ones are too many";
  EXPECT_TRUE(fs::exists(folders.FolderOf(Key('b'))));
  EXPECT_TRUE(fs::exists(folders.FolderOf(Key('c')))) << "in use";
  EXPECT_FALSE(folders.Take(Key('a'), nullptr, nullptr)->is_made);
}

TEST_F(FoldersTest, OneMakesItAndOthersWait) {
  EnvironmentFolders folders(root_, 1 << 30);
  const auto first = folders.Take(Key('a'), nullptr, nullptr);
  ASSERT_FALSE(first->is_made);
  std::promise<void> waits;
  auto second = std::async(std::launch::async, [&] {
    return folders.Take(Key('a'), nullptr, [&] { waits.set_value(); });
  });
  waits.get_future().wait();
  fs::create_directories(first->folder);
  folders.Made(Key('a'));
  EXPECT_TRUE(second.get()->is_made);
}

TEST_F(FoldersTest, AfterAFailureTheNextOneMakesItAndACancelledOneGivesUp) {
  EnvironmentFolders folders(root_, 1 << 30);
  ASSERT_FALSE(folders.Take(Key('a'), nullptr, nullptr)->is_made);
  std::promise<void> waits;
  std::atomic<bool> cancelled{false};
  auto given_up = std::async(std::launch::async, [&] {
    return folders.Take(
        Key('a'), [&] { return cancelled.load(); }, [&] { waits.set_value(); });
  });
  waits.get_future().wait();
  cancelled = true;
  EXPECT_TRUE(absl::IsCancelled(given_up.get().status()));
  folders.Failed(Key('a'));
  EXPECT_FALSE(folders.Take(Key('a'), nullptr, nullptr)->is_made);
}

}  // namespace
}  // namespace baton::worker
