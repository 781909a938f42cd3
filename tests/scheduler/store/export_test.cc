#include "scheduler/store/export.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "scheduler/store/commit.h"
#include "scheduler/store/event_record.pb.h"
#include "scheduler/store/frame.h"
#include "scheduler/store/keys.h"
#include "scheduler/store/log_record.pb.h"
#include "scheduler/store/memory_store.h"
#include "scheduler/store/recover.h"
#include "tests/scheduler/store/scripted_state.h"

namespace baton::store {
namespace {

std::string Export(const Store& store, uint64_t segment) {
  std::string bytes;
  const absl::Status status = ExportSegment(store, segment, [&](absl::string_view piece) {
    EXPECT_LE(piece.size(), size_t{64} << 10);
    bytes.append(piece.data(), piece.size());
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return bytes;
}

struct Segment {
  Recovered begin;
  std::vector<uint64_t> sequences;
};

Segment Parse(const std::string& bytes) {
  Segment segment;
  auto frames = FrameReader::Open(bytes);
  EXPECT_TRUE(frames.ok()) << frames.status();
  for (auto frame = frames->Next(); frame.ok(); frame = frames->Next()) {
    if (frame->kind == FrameKind::kRecord) {
      v1::SnapshotRecord record;
      EXPECT_TRUE(record.ParseFromString(std::string(frame->payload)));
      const absl::Status status = LoadRecord(static_cast<Table>(record.table()), record.key(),
                                             record.value(), segment.begin);
      EXPECT_TRUE(status.ok()) << status;
    } else if (frame->kind == FrameKind::kEntry) {
      v1::LogEntry entry;
      EXPECT_TRUE(entry.ParseFromString(std::string(frame->payload)));
      segment.sequences.push_back(entry.sequence());
    }
  }
  return segment;
}

// Random changes in many segments; batches reach the store late, as over a slow disk. Each segment
// must begin with the state as it was before its first event.
TEST(ExportTest, EverySegmentBeginsWithTheStateOfThatMoment) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    MemoryStore store;
    const uint64_t term = *store.TakeTerm();
    ASSERT_TRUE(PrepareSchema(store, term).ok());
    SharedValues shared;
    auto committer = Committer::Open(
        store, shared, {.core_version = "test", .segment_records = 2 + random.Below(10)});
    ASSERT_TRUE(committer.ok());
    ScriptedState scripted;
    std::map<uint64_t, std::string> words_before;  // by sequence
    std::deque<std::pair<uint64_t, Batch>> in_flight;
    const auto commit_one = [&] {
      ASSERT_TRUE(store.Commit(term, {in_flight.front().second}).ok());
      committer->Committed(in_flight.front().first);
      in_flight.pop_front();
    };
    for (int event = 0; event < 150; ++event) {
      words_before[committer->last_sequence() + 1] = Words(scripted.state());
      for (uint64_t n = random.Below(4); n > 0; --n) {
        const std::string name = absl::StrCat("name ", event);
        if (random.Chance(1, 3)) {
          scripted.WriteNode(absl::StrCat("node", random.Below(5)), name);
        } else {
          scripted.WriteJob(absl::StrCat("job", random.Below(20)), name);
        }
      }
      if (random.Chance(1, 2)) scripted.CountToken();
      const auto batch =
          committer->Make(scripted.state(), state::TimerFired(), scripted.Take(), event);
      ASSERT_TRUE(batch.ok()) << batch.status();
      in_flight.emplace_back(committer->last_sequence(), *batch);
      while (in_flight.size() > random.Below(30)) commit_one();
    }
    while (!in_flight.empty()) commit_one();

    uint64_t next = 1;
    for (uint64_t number = 1;; ++number) {
      if (!store.Get(Table::kLog, LogKey(number, 0)).ok()) {
        EXPECT_GT(number, 5u);
        break;
      }
      const Segment segment = Parse(Export(store, number));
      ASSERT_FALSE(segment.sequences.empty());
      EXPECT_EQ(Words(segment.begin.state), words_before[segment.sequences.front()])
          << "segment " << number;
      for (const uint64_t sequence : segment.sequences) EXPECT_EQ(sequence, next++);
    }
    EXPECT_EQ(next, 151u);
  }
}

class OneSegmentTest : public testing::Test {
 protected:
  void SetUp() override {
    const uint64_t term = *store_.TakeTerm();
    ASSERT_TRUE(PrepareSchema(store_, term).ok());
    SharedValues shared;
    auto committer = Committer::Open(store_, shared, {.core_version = "test"});
    ScriptedState scripted;
    for (int i = 0; i < 3; ++i) {
      scripted.WriteJob("a", absl::StrCat("name ", i));
      const auto batch = committer->Make(scripted.state(), state::TimerFired(), scripted.Take(), 0);
      ASSERT_TRUE(store_.Commit(term, {*batch}).ok());
    }
  }
  MemoryStore store_;
};

TEST_F(OneSegmentTest, ZeroIsTheNewestAndOthersAreNamed) {
  EXPECT_EQ(Export(store_, 0), Export(store_, 1));
  const absl::Status status =
      ExportSegment(store_, 7, [](absl::string_view) { return absl::OkStatus(); });
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(status.message(), "the event log has no segment 7; it has 1");
}

TEST_F(OneSegmentTest, AnErrorOfTheSinkEndsTheExport) {
  EXPECT_TRUE(absl::IsCancelled(
      ExportSegment(store_, 0, [](absl::string_view) { return absl::CancelledError("enough"); })));
}

TEST_F(OneSegmentTest, EveryFlippedBitAndEveryCutIsSeen) {
  const std::string whole = Export(store_, 0);
  const auto intact = [](const std::string& bytes) {
    auto frames = FrameReader::Open(bytes);
    bool ended = false;
    while (frames.ok()) {
      const auto frame = frames->Next();
      if (!frame.ok()) return absl::IsOutOfRange(frame.status()) && ended;
      ended = frame->kind == FrameKind::kEnd;
    }
    return false;
  };
  EXPECT_TRUE(intact(whole));
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] ^= static_cast<char>(1 << (i % 8));
    EXPECT_FALSE(intact(damaged)) << "byte " << i;
    EXPECT_FALSE(intact(whole.substr(0, i))) << "cut at " << i;
  }
}

}  // namespace
}  // namespace baton::store
