#include "tests/trainer/comm/group_contract.h"

#include <atomic>
#include <thread>

#include "gmock/gmock.h"

namespace baton::trainer {

using std::chrono::milliseconds;

void OnEachRank(std::vector<std::unique_ptr<Group>>& members,
                const std::function<void(std::unique_ptr<Group>& member)>& body) {
  std::vector<std::thread> threads;
  for (auto& member : members) threads.emplace_back([&] { body(member); });
  for (std::thread& thread : threads) thread.join();
}

TEST_P(GroupContract, GathersEveryPieceForEveryRank) {
  for (const int size : {1, 2, 3, 5}) {
    auto members = GetParam().make(size);
    OnEachRank(members, [size](std::unique_ptr<Group>& member) {
      std::vector<int64_t> all(size, -1);
      all[member->rank()] = 100 + member->rank();
      const absl::Status status =
          AllGather(*member, all.data(), sizeof(int64_t), milliseconds(10000));
      EXPECT_TRUE(status.ok()) << status;
      for (int rank = 0; rank < size; ++rank) EXPECT_EQ(all[rank], 100 + rank);
    });
  }
}

// Different sizes, offsets and some empty messages, many times over the same buffers.
TEST_P(GroupContract, RepeatsAnUnevenPattern) {
  constexpr int kSize = 3;
  constexpr size_t kFloats = 40000;
  auto members = GetParam().make(kSize);
  const auto size_of = [](int from, int to) -> size_t {
    return from == 2 && to == 0 ? 0 : 4 * (1 + 5000 * static_cast<size_t>(from) + to);
  };
  OnEachRank(members, [&](std::unique_ptr<Group>& member) {
    const int rank = member->rank();
    std::vector<int32_t> send(kFloats);
    std::vector<int32_t> receive(kFloats);
    TransferPlan plan{send.data(), send.size() * 4, {}, receive.data(), receive.size() * 4, {}};
    size_t send_offset = 64;
    size_t receive_offset = 128;
    for (int peer = 0; peer < kSize; ++peer) {
      if (peer == rank) continue;
      plan.sends.push_back({peer, send_offset, size_of(rank, peer)});
      plan.receives.push_back({peer, receive_offset, size_of(peer, rank)});
      send_offset += size_of(rank, peer);
      receive_offset += size_of(peer, rank);
    }
    auto transfer = member->Prepare(plan);
    ASSERT_TRUE(transfer.ok()) << transfer.status();
    for (int32_t run = 0; run < 20; ++run) {
      for (const Message& m : plan.sends) {
        std::fill_n(send.begin() + m.offset_bytes / 4, m.size_bytes / 4,
                    run * 100 + rank * 10 + m.peer);
      }
      const absl::Status status = (*transfer)->Run(milliseconds(10000));
      ASSERT_TRUE(status.ok()) << status;
      for (const Message& m : plan.receives) {
        const std::vector<int32_t> got(receive.begin() + m.offset_bytes / 4,
                                       receive.begin() + (m.offset_bytes + m.size_bytes) / 4);
        EXPECT_THAT(got, testing::Each(run * 100 + m.peer * 10 + rank));
      }
    }
  });
}

// As many as there are, started by different threads in different orders, finished in a third one.
TEST_P(GroupContract, SeveralTransfersMayBeUnderWay) {
  constexpr int kSize = 3;
  constexpr int kTransfers = 8;
  constexpr size_t kInts = 30000;
  auto members = GetParam().make(kSize);
  OnEachRank(members, [&](std::unique_ptr<Group>& member) {
    const int rank = member->rank();
    std::vector<std::vector<int32_t>> all(kTransfers, std::vector<int32_t>(kSize * kInts));
    std::vector<std::unique_ptr<Transfer>> transfers;
    for (std::vector<int32_t>& values : all) {
      TransferPlan plan{values.data(), values.size() * 4, {}, values.data(), values.size() * 4, {}};
      for (int peer = 0; peer < kSize; ++peer) {
        if (peer == rank) continue;
        plan.sends.push_back({peer, rank * kInts * 4, kInts * 4});
        plan.receives.push_back({peer, peer * kInts * 4, kInts * 4});
      }
      auto transfer = member->Prepare(plan);
      ASSERT_TRUE(transfer.ok()) << transfer.status();
      transfers.push_back(*std::move(transfer));
    }
    for (int32_t run = 0; run < 10; ++run) {
      const auto start = [&](int first) {
        for (int k = first; k < kTransfers; k += 2) {
          const int t = (k + rank * 3) % kTransfers;
          std::fill_n(all[t].begin() + rank * kInts, kInts, run * 1000 + t * 10 + rank);
          transfers[t]->Start();
        }
      };
      std::thread other(start, 1);
      start(0);
      other.join();
      for (int t = kTransfers; t-- > 0;) {
        const absl::Status status = transfers[t]->Finish(milliseconds(10000));
        ASSERT_TRUE(status.ok()) << status;
        for (int peer = 0; peer < kSize; ++peer) {
          EXPECT_EQ(all[t][peer * kInts], run * 1000 + t * 10 + peer);
          EXPECT_EQ(all[t][(peer + 1) * kInts - 1], run * 1000 + t * 10 + peer);
        }
      }
    }
  });
}

// A peer goes away when the transfer is under way; then the waiting rank lets go of the memory.
TEST_P(GroupContract, ATransferUnderWayMayBeDestroyed) {
  constexpr size_t kBytes = size_t{16} << 20;
  for (int round = 0; round < 5; ++round) {
    auto members = GetParam().make(2);
    OnEachRank(members, [&](std::unique_ptr<Group>& member) {
      const int peer = 1 - member->rank();
      std::vector<char> send(kBytes), receive(kBytes);
      const TransferPlan plan{send.data(),    kBytes, {{peer, 0, kBytes}},
                              receive.data(), kBytes, {{peer, 0, kBytes}}};
      auto first = member->Prepare(plan);
      auto second = member->Prepare(plan);
      ASSERT_TRUE(first.ok() && second.ok());
      (*first)->Start();
      if (member->rank() == 0) {
        for (int i = 0; i < round * 300; ++i) std::this_thread::yield();
        first->reset();
        second->reset();
        std::vector<char>().swap(send);
        std::vector<char>().swap(receive);
        member.reset();
        return;
      }
      (*second)->Start();
      const absl::Status status = (*second)->Finish(milliseconds(10000));
      EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    });
  }
}

TEST_P(GroupContract, ARankThatLeavesFailsTheOthersAtOnce) {
  auto members = GetParam().make(3);
  OnEachRank(members, [](std::unique_ptr<Group>& member) {
    ASSERT_TRUE(Barrier(*member, milliseconds(10000)).ok());
    if (member->rank() == 1) {
      member.reset();
      return;
    }
    const auto begin = std::chrono::steady_clock::now();
    const absl::Status status = Barrier(*member, milliseconds(30000));
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(5000));
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("rank 1"));
  });
}

TEST_P(GroupContract, ASilentRankEndsTheWaitAtItsTimeout) {
  auto members = GetParam().make(2);
  ASSERT_EQ(members[0]->rank(), 0);
  const absl::Status status = Barrier(*members[0], milliseconds(50));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
}

// Nothing is under way with the peer that goes, and the others hear of it.
TEST_P(GroupContract, AWatchHearsOfAPeersEnd) {
  auto members = GetParam().make(3);
  OnEachRank(members, [](std::unique_ptr<Group>& member) {
    auto watch = member->WatchPeers();
    ASSERT_TRUE(watch.ok()) << watch.status();
    ASSERT_TRUE(Barrier(*member, milliseconds(10000)).ok());
    if (member->rank() == 1) {
      watch->reset();
      member.reset();
      return;
    }
    const auto begin = std::chrono::steady_clock::now();
    while ((*watch)->status().ok()) {
      ASSERT_LT(std::chrono::steady_clock::now() - begin, milliseconds(2000));
      std::this_thread::yield();
    }
    EXPECT_EQ((*watch)->status().code(), absl::StatusCode::kUnavailable);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(220));
    watch->reset();
  });
}

TEST_P(GroupContract, TransfersGoOnWhileAWatchLooks) {
  constexpr int kSize = 3;
  auto members = GetParam().make(kSize);
  OnEachRank(members, [](std::unique_ptr<Group>& member) {
    auto watch = member->WatchPeers();
    ASSERT_TRUE(watch.ok()) << watch.status();
    std::vector<int64_t> all(kSize);
    for (int64_t round = 0; round < 50; ++round) {
      all[member->rank()] = 10 * round + member->rank();
      ASSERT_TRUE(AllGather(*member, all.data(), sizeof(int64_t), milliseconds(10000)).ok());
      for (int rank = 0; rank < kSize; ++rank) EXPECT_EQ(all[rank], 10 * round + rank);
      EXPECT_TRUE((*watch)->status().ok()) << (*watch)->status();
      // Nobody leaves before all have looked.
      ASSERT_TRUE(Barrier(*member, milliseconds(10000)).ok());
    }
  });
}

// Of three that wait, one is silent: the two know whom to blame, and stay connected.
TEST_P(GroupContract, ASilentRankIsNamedAndTheOthersStayConnected) {
  auto members = GetParam().make(4);
  std::atomic<int> waiting{3};
  OnEachRank(members, [&](std::unique_ptr<Group>& member) {
    if (member->rank() == 2) {
      while (waiting > 0) std::this_thread::yield();
      return;
    }
    const absl::Status status = Barrier(*member, milliseconds(200));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
    EXPECT_THAT(member->Suspects(), testing::ElementsAre(2));
    std::vector<char> send(1), receive(4);
    TransferPlan plan{send.data(), 1, {}, receive.data(), 4, {}};
    for (const int peer : {0, 1, 3}) {
      if (peer == member->rank()) continue;
      plan.sends.push_back({peer, 0, 1});
      plan.receives.push_back({peer, static_cast<size_t>(peer), 1});
    }
    auto transfer = member->Prepare(plan);
    ASSERT_TRUE(transfer.ok()) << transfer.status();
    EXPECT_TRUE((*transfer)->Run(milliseconds(10000)).ok());
    EXPECT_THAT(member->Suspects(), testing::ElementsAre(2));
    --waiting;
    while (waiting > 0) std::this_thread::yield();
  });
}

TEST_P(GroupContract, WhoWentAwayIsASuspect) {
  auto members = GetParam().make(3);
  std::atomic<int> waiting{2};
  OnEachRank(members, [&](std::unique_ptr<Group>& member) {
    ASSERT_TRUE(Barrier(*member, milliseconds(10000)).ok());
    if (member->rank() == 0) {
      member.reset();
      return;
    }
    EXPECT_FALSE(Barrier(*member, milliseconds(10000)).ok());
    EXPECT_THAT(member->Suspects(), testing::ElementsAre(0));
    --waiting;
    while (waiting > 0) std::this_thread::yield();
  });
}

TEST_P(GroupContract, AWatchThatHeardNothingEndsAtOnce) {
  auto members = GetParam().make(2);
  OnEachRank(members, [](std::unique_ptr<Group>& member) {
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(member->WatchPeers().ok());
    ASSERT_TRUE(Barrier(*member, milliseconds(10000)).ok());
    auto watch = member->WatchPeers();
    ASSERT_TRUE(watch.ok()) << watch.status();
    ASSERT_TRUE(Barrier(*member, milliseconds(10000)).ok());
    const auto begin = std::chrono::steady_clock::now();
    watch->reset();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(1000));
    ASSERT_TRUE(Barrier(*member, milliseconds(10000)).ok());
  });
}

}  // namespace baton::trainer
