#include "client/data_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "client/secrets.h"
#include "common/data_uri.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class DataPlanTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/data_plan";
    fs::remove_all(folder_);
    fs::create_directories(folder_ + "/sets/deep");
    std::ofstream(folder_ + "/sets/a") << "12345";
    std::ofstream(folder_ + "/sets/deep/b") << "1";
  }
  std::string folder_;
};

TEST_F(DataPlanTest, AFolderIsAllInItAndAFileIsOne) {
  const auto folder = PlanData(folder_ + "/sets");
  ASSERT_TRUE(folder.ok()) << folder.status();
  ASSERT_EQ(folder->files.size(), 2u);
  EXPECT_EQ(folder->files[1].path, "deep/b");
  EXPECT_EQ(folder->bytes, 6);
  const auto file = PlanData(folder_ + "/sets/a");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->files.size(), 1u);
  EXPECT_EQ(file->files[0].path, kDataFile);
  EXPECT_TRUE(absl::IsNotFound(PlanData(folder_ + "/none").status()));
  fs::create_directories(folder_ + "/empty");
  EXPECT_THAT(PlanData(folder_ + "/empty").status().message(), HasSubstr("has no files"));
  fs::create_symlink("/etc/passwd", folder_ + "/sets/link");
  EXPECT_FALSE(PlanData(folder_ + "/sets").ok());
}

TEST_F(DataPlanTest, PathsAreSentAndNamesArePushedOnes) {
  spec::Reading reading = spec::ReadSpecText(
      "command: [a]\ndata: {one: ./sets, two: sets, three: photos, four: 'https://h/x'}\n",
      folder_ + "/job.yaml");
  const std::vector<DataPlan> plans = PlanDataSets(folder_, &reading);
  EXPECT_TRUE(reading.mistakes.empty()) << reading.mistakes.ToStatus();
  ASSERT_EQ(plans.size(), 2u);
  EXPECT_EQ(plans[1].index, 1u);
  EXPECT_EQ(reading.spec.data[2].uri, "data:photos");
  EXPECT_EQ(reading.spec.data[3].uri, "https://h/x");
  spec::Reading wrong = spec::ReadSpecText("command: [a]\ndata:\n  one: ./none\n", "job.yaml");
  EXPECT_THAT(PlanDataSets(folder_, &wrong), IsEmpty());
  EXPECT_THAT(wrong.mistakes.ToStatus().message(), HasSubstr("data.one: no file or folder"));
}

TEST_F(DataPlanTest, AFlagsPathStartsHere) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  const std::string here = fs::current_path().string();
  EXPECT_EQ(DataSetting("d=./sets").value.text, here + "/sets");
  EXPECT_EQ(DataSetting("d=sets").value.text, here + "/sets");
  EXPECT_EQ(DataSetting("d=photos").value.text, "photos");
  EXPECT_EQ(DataSetting("d=s3://b/x").value.text, "s3://b/x");
  EXPECT_THAT(DataSetting("d").refusal, HasSubstr("NAME=URI"));
  fs::current_path(before);
}

TEST(Secrets, ValuesAreThoseOfTheEnvironment) {
  v1::SubmitJobsRequest request;
  request.add_jobs()->add_secret_names("BATON_TEST_SECRET_A");
  request.add_jobs()->add_secret_names("BATON_TEST_SECRET_A");
  unsetenv("BATON_TEST_SECRET_A");
  const absl::Status missing = FillSecrets(&request);
  EXPECT_THAT(missing.message(), HasSubstr("BATON_TEST_SECRET_A is a secret"));
  setenv("BATON_TEST_SECRET_A", "hunter2", 1);
  request.clear_secrets();
  ASSERT_TRUE(FillSecrets(&request).ok());
  ASSERT_EQ(request.secrets_size(), 1);
  EXPECT_EQ(request.secrets(0).value(), "hunter2");
  setenv("BATON_TEST_SECRET_A", std::string(40'000, 'x').c_str(), 1);
  request.clear_secrets();
  const absl::Status large = FillSecrets(&request);
  EXPECT_THAT(large.message(), HasSubstr("40000 bytes"));
  EXPECT_THAT(large.message(), Not(HasSubstr("xxx")));
  unsetenv("BATON_TEST_SECRET_A");
}

TEST(Secrets, ShortOnesAreSaidToStandInTheLog) {
  v1::SubmitJobsRequest request;
  const auto add = [&request](const char* name, const char* value) {
    request.add_secrets()->set_name(name);
    request.mutable_secrets()->rbegin()->set_value(value);
  };
  add("LONG", "hunter");
  EXPECT_EQ(ShortSecretsNote(request), "");
  add("PIN", "12345");
  EXPECT_THAT(ShortSecretsNote(request), HasSubstr("PIN is shorter than 6 bytes"));
  EXPECT_THAT(ShortSecretsNote(request), Not(HasSubstr("12345")));
  EXPECT_THAT(ShortSecretsNote(request), Not(HasSubstr("LONG")));
}

TEST(Secrets, AFlagAddsToTheSpecs) {
  spec::Reading reading = spec::ReadSpecText("command: [a]\nsecrets: [A]\n", "job.yaml");
  AddSecrets({"A", "B"}, &reading);
  EXPECT_TRUE(reading.mistakes.empty());
  EXPECT_THAT(reading.spec.secrets, testing::ElementsAre("A", "B"));
  AddSecrets({"C=value"}, &reading);
  EXPECT_THAT(reading.mistakes.ToStatus().message(), HasSubstr("name the variable alone"));
}

}  // namespace
}  // namespace baton::client
