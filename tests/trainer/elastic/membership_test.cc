#include "trainer/parallel/membership.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "common/atomic_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

class MembershipTest : public testing::Test {
 protected:
  MembershipTest() : folder_(testing::TempDir() + "/membership-XXXXXX") {
    signal(SIGPIPE, SIG_IGN);
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~MembershipTest() override { std::filesystem::remove_all(folder_); }

  absl::StatusOr<Membership> Read(const std::string& text, int rank) {
    EXPECT_TRUE(WriteFileAtomically(folder_ + "/m", text).ok());
    return ReadMembership(folder_ + "/m", rank);
  }

  FormOptions Options(int rank, int size, const Agreement& agreement) {
    FormOptions options;
    options.membership = {0, size, rank, "127.0.0.1"};
    options.rendezvous = "dir:" + folder_ + "/meet";
    options.agreement = agreement;
    return options;
  }

  std::string folder_;
};

TEST_F(MembershipTest, ReadsTheFileOfTheContract) {
  const auto membership =
      Read(R"({"generation":3,"world_size":2,"ranks":[{"rank":0,"address":"10.0.0.1"},)"
           R"({"rank":1,"address":"10.0.0.2"}]})",
           1);
  ASSERT_TRUE(membership.ok()) << membership.status();
  EXPECT_EQ(membership->generation, 3);
  EXPECT_EQ(membership->world_size, 2);
  EXPECT_EQ(membership->rank, 1);
  EXPECT_EQ(membership->address, "10.0.0.2");
}

TEST_F(MembershipTest, AFileThatMakesNoSenseIsRefused) {
  for (const char* text : {"", "{", "[]", R"({"generation":"x"})", R"({"generation":1})",
                           R"({"generation":1,"world_size":1,"ranks":[{"rank":0}]})",
                           R"({"generation":1,"world_size":1,"ranks":[]})"}) {
    const auto membership = Read(text, 0);
    EXPECT_EQ(membership.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(membership.status().message()), testing::HasSubstr(folder_));
  }
}

TEST_F(MembershipTest, OneRankNeedsNobody) {
  FormOptions options;
  options.membership = {0, 1, 0, ""};
  const auto gang = Form(options);
  ASSERT_TRUE(gang.ok()) << gang.status();
  EXPECT_EQ(gang->group->size(), 1);
}

TEST_F(MembershipTest, RanksThatAreNotAlikeAreRefusedByBoth) {
  const Agreement mine = {"build-a", "cpu", "spec", "step 0"};
  const std::vector<std::pair<Agreement, std::string>> others = {
      {{"build-b", "cpu", "spec", "step 0"}, "build"},
      {{"build-a", "cpu2", "spec", "step 0"}, "instruction set"},
      {{"build-a", "cpu", "spec2", "step 0"}, "spec"},
      {{"build-a", "cpu", "spec", "step 1"}, "state"},
  };
  for (const auto& [other, word] : others) {
    absl::Status peer_status;
    std::thread peer([&, &theirs = other] { peer_status = Form(Options(1, 2, theirs)).status(); });
    const absl::Status status = Form(Options(0, 2, mine)).status();
    peer.join();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_EQ(peer_status.code(), absl::StatusCode::kFailedPrecondition) << peer_status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(word));
  }
}

TEST_F(MembershipTest, AlikeRanksForm) {
  const Agreement same = {"build", "cpu", "spec", "step 0"};
  std::thread peer([&] { EXPECT_TRUE(Form(Options(1, 2, same)).ok()); });
  const auto gang = Form(Options(0, 2, same));
  EXPECT_TRUE(gang.ok()) << gang.status();
  peer.join();
}

}  // namespace
}  // namespace baton::trainer
