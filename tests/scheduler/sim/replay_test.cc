#include "scheduler/sim/replay.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "scheduler/core/step.h"
#include "scheduler/store/commit.h"
#include "scheduler/store/event_record.pb.h"
#include "scheduler/store/export.h"
#include "scheduler/store/frame.h"
#include "scheduler/store/log_record.pb.h"
#include "scheduler/store/memory_store.h"
#include "scheduler/store/recover.h"

namespace baton::sim {
namespace {

// A scheduler without a network: events go in, the log comes out.
class ReplayTest : public testing::Test {
 protected:
  void Start(const std::string& core_version) {
    term_ = *store_.TakeTerm();
    ASSERT_TRUE(store::PrepareSchema(store_, term_).ok());
    auto recovered = store::Recover(store_, {});
    ASSERT_TRUE(recovered.ok());
    shared_ = std::move(recovered->shared);
    core_ = std::make_unique<core::Core>(std::move(recovered->state));
    auto committer = store::Committer::Open(store_, shared_,
                                            {.core_version = core_version, .segment_records = 6});
    ASSERT_TRUE(committer.ok());
    committer_.emplace(*std::move(committer));
    Apply(state::SchedulerStarted{.term = term_});
  }

  void Apply(const state::Event& event) {
    now_ms_ += 1000;
    const state::Outputs outputs = core_->Step(event, now_ms_);
    const auto batch = committer_->Make(core_->state(), event, outputs, now_ms_);
    ASSERT_TRUE(batch.ok());
    ASSERT_TRUE(store_.Commit(term_, {*batch}).ok());
    committer_->Committed(committer_->last_sequence());
  }

  void Submit(int jobs) {
    for (int i = 0; i < jobs; ++i) {
      const std::string request = absl::StrCat("request ", ++requests_);
      state::JobsSubmitted event;
      event.request_id = request;
      event.request_digest = static_cast<uint64_t>(requests_);
      event.submitter = std::make_shared<const state::Submitter>();
      event.jobs.push_back({JobId(request, 0), "job", std::make_shared<const state::JobSpec>()});
      Apply(event);
    }
  }

  void Join() {
    state::NodeJoined event;
    event.offer.id = "node";
    event.offer.incarnation = "first";
    event.offer.name = "spot-a";
    event.offer.cpus_milli = 3000;
    event.offer.data_addresses = {"10.0.0.1"};
    Apply(event);
  }

  std::string Export(uint64_t segment) {
    std::string bytes;
    const absl::Status status = store::ExportSegment(store_, segment, [&](absl::string_view piece) {
      bytes.append(piece.data(), piece.size());
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    return bytes;
  }

  // The stream with one log entry changed, checksums and all.
  static std::string Tamper(const std::string& bytes, uint64_t sequence) {
    auto frames = store::FrameReader::Open(bytes);
    std::string changed = store::StreamHead();
    for (auto frame = frames->Next(); frame.ok(); frame = frames->Next()) {
      std::string payload(frame->payload);
      store::v1::LogEntry entry;
      if (frame->kind == store::FrameKind::kEntry && entry.ParseFromString(payload) &&
          entry.sequence() == sequence) {
        entry.set_decisions_digest(entry.decisions_digest() + 1);
        payload = entry.SerializeAsString();
      }
      changed += store::EncodeFrame(frame->kind, payload);
    }
    return changed;
  }

  store::MemoryStore store_;
  uint64_t term_ = 0;
  store::SharedValues shared_;
  std::unique_ptr<core::Core> core_;
  std::optional<store::Committer> committer_;
  int64_t now_ms_ = 1'700'000'000'000;
  int requests_ = 0;
};

TEST_F(ReplayTest, EverySegmentIsDecidedAlike) {
  Start(core::kVersion);
  Submit(3);
  Join();
  Submit(10);
  uint64_t events = 0;
  for (uint64_t segment = 1; segment <= 3; ++segment) {
    const auto report = Replay(Export(segment));
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->differences_total, 0u) << Words(*report);
    EXPECT_EQ(report->segment, segment);
    EXPECT_TRUE(report->same_core());
    events += report->events;
  }
  EXPECT_EQ(events, committer_->last_sequence());
  EXPECT_EQ(Words(*Replay(Export(1))), "segment 1: begins with 0 jobs, 6 events decided alike");
}

TEST_F(ReplayTest, TheFirstDifferenceIsToldWithBothSides) {
  Start(core::kVersion);
  Join();
  Submit(3);
  const auto report = Replay(Tamper(Export(1), 3));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->differences_total, 1u);
  ASSERT_EQ(report->differences.size(), 1u);
  EXPECT_EQ(report->differences[0].sequence, 3u);
  EXPECT_EQ(report->events, 2u) << "what follows proves nothing";
  const std::string words = Words(*report);
  EXPECT_TRUE(absl::StrContains(words, "differs: answer or effects")) << words;
  EXPECT_TRUE(absl::StrContains(words, "recorded:")) << words;
  EXPECT_TRUE(absl::StrContains(words, "placed: 1 rank on spot-a")) << words;
  EXPECT_TRUE(absl::StrContains(words, "wanted on node: run ")) << words;
}

TEST_F(ReplayTest, AnotherCoreVersionIsReplayedToTheEnd) {
  Start("0");
  Join();
  Submit(2);
  const auto report = Replay(Tamper(Export(1), 2));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->same_core());
  EXPECT_EQ(report->differences_total, 1u);
  EXPECT_EQ(report->events, 3u);
  EXPECT_TRUE(absl::StrContains(Words(*report), "recorded by core version 0, this is"));
}

TEST_F(ReplayTest, DamageIsToldWithItsPlace) {
  Start(core::kVersion);
  Submit(2);
  const std::string whole = Export(1);
  std::string flipped = whole;
  flipped[whole.size() / 2] ^= 4;
  const absl::Status damaged = Replay(flipped).status();
  EXPECT_TRUE(absl::IsDataLoss(damaged)) << damaged;
  EXPECT_TRUE(absl::StrContains(damaged.message(), "the log is damaged at byte ")) << damaged;
  EXPECT_FALSE(Replay("").ok());
  EXPECT_FALSE(Replay("not a log").ok());
  for (size_t size = 0; size < whole.size(); size += 7) {
    EXPECT_TRUE(absl::IsDataLoss(Replay(whole.substr(0, size)).status())) << size;
  }
}

TEST_F(ReplayTest, ANewerFormatIsRefused) {
  Start(core::kVersion);
  std::string newer = Export(1);
  newer[8] = 2;
  EXPECT_TRUE(absl::IsFailedPrecondition(Replay(newer).status()));
}

}  // namespace
}  // namespace baton::sim
