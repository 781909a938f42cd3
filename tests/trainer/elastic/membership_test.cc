#include "trainer/elastic/membership.h"

#include <cstdlib>
#include <filesystem>

#include "common/atomic_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

class MembershipTest : public testing::Test {
 protected:
  MembershipTest() : folder_(testing::TempDir() + "/membership-XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~MembershipTest() override { std::filesystem::remove_all(folder_); }

  absl::StatusOr<Membership> Read(const std::string& text, int rank) {
    EXPECT_TRUE(WriteFileAtomically(folder_ + "/m", text).ok());
    return ReadMembership(folder_ + "/m", rank);
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

TEST_F(MembershipTest, AProcessIsFoundByItsTaskNumber) {
  const std::string text =
      R"({"generation":4,"world_size":2,"ranks":[{"rank":0,"address":"a","task":1},)"
      R"({"rank":1,"address":"b","task":3}]})";
  const std::vector<int> ranks = {-1, 0, -1, 1, -1};
  for (int task = 0; task < 5; ++task) {
    const auto membership = Read(text, task);
    ASSERT_TRUE(membership.ok()) << membership.status();
    EXPECT_EQ(membership->rank, ranks[static_cast<size_t>(task)]);
    EXPECT_EQ(membership->member(), ranks[static_cast<size_t>(task)] >= 0);
    EXPECT_EQ(membership->world_size, 2);
  }
  EXPECT_EQ(Read(text, 3)->address, "b");
}

}  // namespace
}  // namespace baton::trainer
