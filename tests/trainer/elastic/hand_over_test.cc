#include "trainer/elastic/hand_over.h"

#include <memory>
#include <numeric>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "trainer/comm/local.h"

namespace baton::trainer {
namespace {

using std::chrono::milliseconds;

const Agreement kAlike = {"build", "cpu", "spec"};

// A step and two vectors that depend on it.
class FakeState : public SharedState {
 public:
  FakeState(int64_t step, size_t floats) : step_(step) {
    for (size_t v = 0; v < vectors.size(); ++v) {
      vectors[v].resize(floats + v);
      std::iota(vectors[v].begin(), vectors[v].end(), static_cast<float>(step * 10 + int(v)));
    }
  }

  int64_t step() const override { return step_; }
  absl::StatusOr<uint64_t> Digest() override {
    return static_cast<uint64_t>(vectors[0][0]) + drift;
  }
  void LeaveGroup() override {}
  absl::StatusOr<Offer> MakeOffer() override {
    if (dies) return absl::CancelledError("dies");
    Offer offer{std::to_string(step_), {}};
    for (const auto& vector : vectors) offer.vectors.push_back(vector);
    return offer;
  }
  absl::StatusOr<std::vector<absl::Span<float>>> Stage(const std::string& text) override {
    staged_text = text;
    staged.resize(vectors.size());
    std::vector<absl::Span<float>> spans;
    for (size_t v = 0; v < staged.size(); ++v) {
      staged[v].assign(vectors[v].size(), -1);
      spans.push_back(absl::MakeSpan(staged[v]));
    }
    return spans;
  }
  absl::Status Adopt() override {
    step_ = std::stoll(staged_text);
    vectors = staged;
    ++adopted;
    return absl::OkStatus();
  }

  std::vector<std::vector<float>> vectors{2}, staged;
  std::string staged_text;
  uint64_t drift = 0;
  int adopted = 0;
  bool dies = false;

 private:
  int64_t step_;
};

class HandOverTest : public testing::Test {
 protected:
  // One rank for each state.
  std::vector<absl::StatusOr<Decision>> Run(std::vector<std::unique_ptr<FakeState>>& states) {
    members_ = MakeLocalGroup(static_cast<int>(states.size()));
    std::vector<absl::StatusOr<Decision>> decisions(states.size(), absl::UnknownError(""));
    std::vector<std::thread> threads;
    for (size_t rank = 0; rank < states.size(); ++rank) {
      threads.emplace_back([&, rank] {
        decisions[rank] =
            HandOver(*members_[rank], *states[rank], kAlike, false, milliseconds(10000));
        if (!decisions[rank].ok()) members_[rank].reset();
      });
    }
    for (std::thread& thread : threads) thread.join();
    return decisions;
  }

  std::vector<std::unique_ptr<Group>> members_;
};

std::vector<std::unique_ptr<FakeState>> StatesAt(const std::vector<int64_t>& steps,
                                                 size_t floats = 1000) {
  std::vector<std::unique_ptr<FakeState>> states;
  for (const int64_t step : steps) states.push_back(std::make_unique<FakeState>(step, floats));
  return states;
}

TEST_F(HandOverTest, ThoseBehindAndJoinersTakeTheState) {
  auto states = StatesAt({4, 5, kNoState, 5});
  for (const auto& decision : Run(states)) {
    ASSERT_TRUE(decision.ok()) << decision.status();
    EXPECT_EQ(decision->step, 5);
  }
  for (const auto& state : states) {
    EXPECT_EQ(state->step(), 5);
    EXPECT_EQ(state->vectors, states[1]->vectors);
  }
  EXPECT_EQ(states[0]->adopted, 1);
  EXPECT_EQ(states[1]->adopted, 0);
  EXPECT_EQ(states[3]->adopted, 0);
}

TEST_F(HandOverTest, NothingIsSentWhereAllAreAtOneStep) {
  auto states = StatesAt({5, 5, 5});
  for (const auto& decision : Run(states)) EXPECT_TRUE(decision.ok()) << decision.status();
  for (const auto& state : states) EXPECT_EQ(state->adopted, 0);
}

// More than one piece of 32 MiB, and the end of the last one.
TEST_F(HandOverTest, ALargeStateTravelsInPieces) {
  auto states = StatesAt({kNoState, 5}, (size_t{40} << 20) / sizeof(float) + 3);
  for (const auto& decision : Run(states)) ASSERT_TRUE(decision.ok()) << decision.status();
  EXPECT_TRUE(states[0]->vectors == states[1]->vectors);
}

TEST_F(HandOverTest, DriftIsNotHandedOver) {
  auto states = StatesAt({5, 5, kNoState});
  states[1]->drift = 1;
  for (const auto& decision : Run(states)) {
    EXPECT_EQ(decision.status().code(), absl::StatusCode::kDataLoss) << decision.status();
  }
  EXPECT_EQ(states[2]->adopted, 0);
}

TEST_F(HandOverTest, WhenTheSourceDiesNothingHasChanged) {
  auto states = StatesAt({4, 5, kNoState});
  const auto before = states[0]->vectors;
  states[1]->dies = true;
  const auto decisions = Run(states);
  for (const size_t rank : {0u, 2u}) {
    EXPECT_EQ(decisions[rank].status().code(), absl::StatusCode::kUnavailable)
        << decisions[rank].status();
    EXPECT_EQ(states[rank]->adopted, 0);
  }
  EXPECT_EQ(states[0]->step(), 4);
  EXPECT_EQ(states[0]->vectors, before);
}

// Sends other bytes than it was given, where they are many.
class DamagingGroup : public Group {
 public:
  explicit DamagingGroup(std::unique_ptr<Group> group) : group_(std::move(group)) {}
  int rank() const override { return group_->rank(); }
  int size() const override { return group_->size(); }
  absl::StatusOr<std::unique_ptr<PeerWatch>> WatchPeers() override { return group_->WatchPeers(); }
  std::vector<int> Suspects() override { return group_->Suspects(); }
  absl::StatusOr<std::unique_ptr<Transfer>> Prepare(const TransferPlan& plan) override {
    if (plan.send_bytes < 1000) return group_->Prepare(plan);
    TransferPlan other = plan;
    const char* bytes = static_cast<const char*>(plan.send);
    damaged_.assign(bytes, bytes + plan.send_bytes);
    damaged_.back() ^= 1;
    other.send = damaged_.data();
    return group_->Prepare(other);
  }

 private:
  const std::unique_ptr<Group> group_;
  std::vector<char> damaged_;
};

TEST_F(HandOverTest, WhatArrivesDamagedIsNotTaken) {
  FakeState joiner(kNoState, 1000), source(5, 1000);
  auto members = MakeLocalGroup(2);
  absl::Status at_source;
  std::thread other([&] {
    DamagingGroup group(std::move(members[1]));
    at_source = HandOver(group, source, kAlike, false, milliseconds(10000)).status();
  });
  const absl::Status status =
      HandOver(*members[0], joiner, kAlike, false, milliseconds(10000)).status();
  members[0].reset();
  other.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_EQ(at_source.code(), absl::StatusCode::kUnavailable) << at_source;
  EXPECT_EQ(joiner.adopted, 0);
  EXPECT_EQ(joiner.step(), kNoState);
}

}  // namespace
}  // namespace baton::trainer
