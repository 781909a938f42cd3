#include "trainer/comm/gloo.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>

#include "tests/trainer/comm/group_contract.h"

namespace baton::trainer {
namespace {

// Real TCP connections over loopback, met in a folder; the ranks are threads.
std::vector<std::unique_ptr<Group>> MakeGlooGroup(int size) {
  signal(SIGPIPE, SIG_IGN);
  std::string folder = testing::TempDir() + "/gloo-XXXXXX";
  EXPECT_NE(mkdtemp(folder.data()), nullptr);
  std::vector<std::unique_ptr<Group>> members(size);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      auto rendezvous =
          OpenRendezvous({.address = "dir:" + folder, .rank = rank, .world_size = size});
      ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
      auto group =
          FormGlooGroup({.rank = rank, .world_size = size, .address = "127.0.0.1"}, **rendezvous);
      ASSERT_TRUE(group.ok()) << group.status();
      members[rank] = *std::move(group);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::filesystem::remove_all(folder);
  return members;
}

TEST(GlooTest, AnAddressThatIsNotOursIsRefusedWithWhatToDo) {
  class NoRendezvous : public Rendezvous {
   public:
    absl::Status Set(const std::string&, absl::string_view) override { return absl::OkStatus(); }
    absl::StatusOr<std::string> Wait(const std::string&, std::chrono::milliseconds) override {
      return absl::AbortedError("none");
    }
    absl::Status ReportLost(int) override { return absl::OkStatus(); }
    absl::Status Done() override { return absl::OkStatus(); }
    absl::Status Ready() override { return absl::OkStatus(); }
    int64_t newer() const override { return 0; }
  };
  NoRendezvous rendezvous;
  const auto group =
      FormGlooGroup({.rank = 0, .world_size = 2, .address = "203.0.113.7"}, rendezvous);
  EXPECT_EQ(group.status().code(), absl::StatusCode::kFailedPrecondition) << group.status();
  EXPECT_NE(group.status().message().find("--address"), absl::string_view::npos);
}

// A generation that is aborted while it forms ends at once, not after Gloo's own 30 s.
TEST(GlooTest, AnAbortedGenerationStopsForming) {
  std::string folder = testing::TempDir() + "/gloo-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  std::thread peer([&] {
    auto rendezvous = OpenRendezvous({.address = "dir:" + folder, .rank = 1, .world_size = 2});
    ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
    ASSERT_TRUE((*rendezvous)->ReportLost(1).ok());
  });
  auto rendezvous = OpenRendezvous({.address = "dir:" + folder, .rank = 0, .world_size = 2});
  ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
  const auto begin = std::chrono::steady_clock::now();
  const auto group =
      FormGlooGroup({.rank = 0, .world_size = 2, .address = "127.0.0.1"}, **rendezvous);
  EXPECT_EQ(group.status().code(), absl::StatusCode::kAborted) << group.status();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  peer.join();
  std::filesystem::remove_all(folder);
}

// Rank 1 dies when its part of the transfer has come, while rank 2 keeps the others waiting.
TEST(GlooTest, AWaitEndsWhenAnyPeerDies) {
  auto members = MakeGlooGroup(3);
  std::promise<void> over;
  OnEachRank(members, [&](std::unique_ptr<Group>& member) {
    char bytes[3] = {};
    TransferPlan plan{bytes, 3, {}, bytes, 3, {}};
    if (member->rank() > 0) plan.sends.push_back({0, static_cast<size_t>(member->rank()), 1});
    if (member->rank() == 0) plan.receives = {{1, 1, 1}, {2, 2, 1}};
    auto transfer = member->Prepare(plan);
    ASSERT_TRUE(transfer.ok()) << transfer.status();
    if (member->rank() == 2) {
      over.get_future().wait();
      return;
    }
    (*transfer)->Start();
    const auto begin = std::chrono::steady_clock::now();
    const absl::Status status = (*transfer)->Finish(std::chrono::milliseconds(30000));
    if (member->rank() == 1) {
      EXPECT_TRUE(status.ok()) << status;
      transfer->reset();
      member.reset();
      return;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_NE(status.message().find("rank 1"), absl::string_view::npos) << status;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(5000));
    over.set_value();
  });
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Gloo, GroupContract, testing::Values(GroupKind{"gloo", MakeGlooGroup}),
                         [](const auto& param) { return param.param.name; });

}  // namespace baton::trainer
