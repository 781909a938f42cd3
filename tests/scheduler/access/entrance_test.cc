#include "scheduler/access/entrance.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"

namespace baton::access {
namespace {

constexpr char kWho[] = "/baton.v1.Access/WhoAmI", kView[] = "/baton.v1.Client/GetJob",
               kRun[] = "/baton.v1.Client/DrainNode", kWork[] = "/baton.v1.Worker/Session";

class EntranceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "/entrance_test";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    auto opened = Entrance::Open(folder_, SystemClock());
    ASSERT_TRUE(opened.ok()) << opened.status();
    entrance_ = *std::move(opened);
  }
  absl::StatusCode Code(const char* method, const std::string& certificate,
                        const std::string& token) {
    return entrance_->Admit(method, certificate, token).status().code();
  }

  std::string folder_;
  std::unique_ptr<Entrance> entrance_;
};

TEST_F(EntranceTest, TheFirstAdminsTokenLiesWhereOnlyTheOwnerReads) {
  struct stat info {};
  ASSERT_EQ(stat((folder_ + "/access").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  const std::string token = *ReadFile(folder_ + "/access/admin.token");
  const auto caller = entrance_->Admit(kWho, "", token);
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ(caller->Word(), "admin:admin");
  // Once: a restart makes no other.
  ASSERT_TRUE(Entrance::Open(folder_, SystemClock()).ok());
  EXPECT_EQ(entrance_->tokens().List().size(), 1u);
}

TEST_F(EntranceTest, TheFirstAdminsTokenGoesOnceItsLoginIsUsed) {
  const std::string path = folder_ + "/access/admin.token";
  const std::string token = *ReadFile(path);
  const std::string other = *entrance_->tokens().Create(
      tls::Token::Kind::kPerson, {"", "ada", Role::kAdmin, entrance_->now_unix_s(), 0});
  EXPECT_EQ(Code(kRun, "", other), absl::StatusCode::kOk);
  EXPECT_EQ(Code(kWho, "", token), absl::StatusCode::kOk);
  EXPECT_TRUE(std::filesystem::exists(path)) << "the login may not have kept it yet";
  entrance_ = *Entrance::Open(folder_, SystemClock());
  EXPECT_EQ(Code(kView, "", token), absl::StatusCode::kOk);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(Code(kRun, "", token), absl::StatusCode::kOk) << "the token itself stays good";
  ASSERT_TRUE(Entrance::Open(folder_, SystemClock()).ok());
  EXPECT_FALSE(std::filesystem::exists(path)) << "a restart makes no other";
}

TEST_F(EntranceTest, LetsInWhoShowsWhatTheCallTakes) {
  const std::string viewer = *entrance_->tokens().Create(
      tls::Token::Kind::kPerson, {"", "eve", Role::kViewer, entrance_->now_unix_s(), 0});
  EXPECT_EQ(Code(kView, "", viewer), absl::StatusCode::kOk);
  EXPECT_EQ(Code(kRun, "", viewer), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Code(kWork, "", viewer), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Code(kView, "", ""), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Code(kView, "", "wrong"), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Code(kWork, "worker:abc", ""), absl::StatusCode::kOk);
  EXPECT_EQ(Code(kView, "worker:abc", ""), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Code(kWork, tls::kSchedulerName, ""), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(entrance_->Admit(kWork, "worker:abc", "")->Word(), "worker:abc");
}

TEST(CallerWord, IsReadAsItIsWritten) {
  const Caller caller = Caller::OfWord(Caller{Role::kUser, "a:b"}.Word());
  EXPECT_EQ(caller.role, Role::kUser);
  EXPECT_EQ(caller.name, "a:b");
  EXPECT_EQ(Caller::OfWord("").role, Role::kNobody);
  EXPECT_EQ(Caller::OfWord("nobody:x").role, Role::kNobody);
}

}  // namespace
}  // namespace baton::access
