#include "client/collect_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "common/atomic_file.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;

TEST(PlaceOfOutput, StaysAwayFromBatonsOwnNames) {
  for (const char* name : {"model.safetensors", "a/job.json", "logs/own.log", "checkpoint/x"}) {
    EXPECT_EQ(PlaceOfOutput(name), name);
  }
  EXPECT_EQ(PlaceOfOutput("job.json"), "outputs/job.json");
  EXPECT_EQ(PlaceOfOutput("metrics.csv/x"), "outputs/metrics.csv/x");
  EXPECT_EQ(PlaceOfOutput("logs"), "outputs/logs");
  EXPECT_EQ(PlaceOfOutput("logs/attempt-1-rank-0.log"), "outputs/logs/attempt-1-rank-0.log");
}

TEST(PlaceOfOutput, NoTwoShareAPlace) {
  std::set<std::string> places;
  for (const char* name : {"job.json", "outputs/job.json", "outputs/outputs/job.json", "outputs/x",
                           "x", "outputs/outputs"}) {
    EXPECT_TRUE(places.insert(PlaceOfOutput(name)).second) << name;
  }
}

class CollectFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "/collect_folder_test";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void Write(const std::string& name) {
    fs::create_directories(fs::path(folder_ + "/" + name).parent_path());
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/" + name, "x").ok());
  }
  bool Has(const std::string& name) { return fs::exists(folder_ + "/" + name); }
  std::string folder_;
};

TEST_F(CollectFolderTest, AnotherJobsFilesGoAndTheUsersStay) {
  const CollectRecord first{"a", {"model", "deep/er/x", "both"}};
  ASSERT_TRUE(ReplaceCollected(folder_, ReadCollectRecord(folder_), first).ok());
  for (const char* name : {"model", "deep/er/x", "both", "mine", "logs/attempt-2-rank-0.log",
                           "logs/mine", "job.json", "metrics.csv"}) {
    Write(name);
  }
  const CollectRecord before = ReadCollectRecord(folder_);
  EXPECT_EQ(before.job, "a");
  EXPECT_EQ(before.files, first.files);
  ASSERT_TRUE(ReplaceCollected(folder_, before, {"b", {"both"}}).ok());
  for (const char* name :
       {"model", "deep", "logs/attempt-2-rank-0.log", "job.json", "metrics.csv"}) {
    EXPECT_FALSE(Has(name)) << name;
  }
  for (const char* name : {"both", "mine", "logs/mine"}) EXPECT_TRUE(Has(name)) << name;
}

TEST_F(CollectFolderTest, ARecordNamesNothingOutside) {
  ASSERT_TRUE(
      WriteFileAtomically(folder_ + "/.baton-collect.json",
                          R"({"job":"a","files":["../x","/etc/x","a/../../x","",".","a",7]})")
          .ok());
  EXPECT_EQ(ReadCollectRecord(folder_).files, (std::vector<std::string>{"a"}));
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/.baton-collect.json", "{").ok());
  EXPECT_EQ(ReadCollectRecord(folder_).job, "");
}

}  // namespace
}  // namespace baton::client
