#include "scheduler/store/commit.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "scheduler/store/export.h"
#include "scheduler/store/keys.h"
#include "scheduler/store/memory_store.h"
#include "scheduler/store/notes.h"
#include "scheduler/store/recover.h"
#include "scheduler/store/segment_reader.h"
#include "tests/scheduler/store/scripted_state.h"

namespace baton::store {
namespace {

class CommitTest : public testing::Test {
 protected:
  void SetUp() override {
    term_ = *store_.TakeTerm();
    ASSERT_TRUE(PrepareSchema(store_, term_).ok());
    Start();
  }

  void Start() {
    committer_.reset();
    shared_ = SharedValues();
    auto recovered = Recover(store_, {});
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    shared_ = std::move(recovered->shared);
    auto committer = Committer::Open(store_, shared_, options_);
    ASSERT_TRUE(committer.ok()) << committer.status();
    committer_.emplace(*std::move(committer));
  }

  Batch Make(int64_t now_ms = 0) {
    auto batch = committer_->Make(scripted_.state(), state::TimerFired(), scripted_.Take(), now_ms);
    EXPECT_TRUE(batch.ok()) << batch.status();
    return *std::move(batch);
  }

  void Commit(int64_t now_ms = 0) {
    const Batch batch = Make(now_ms);
    ASSERT_TRUE(store_.Commit(term_, {batch}).ok());
    committer_->Committed(committer_->last_sequence());
  }

  size_t Count(Table table, const std::string& prefix = "") {
    size_t count = 0;
    EXPECT_TRUE(store_
                    .Scan(table, prefix,
                          [&](absl::string_view, absl::string_view) {
                            ++count;
                            return absl::OkStatus();
                          })
                    .ok());
    return count;
  }

  MemoryStore store_;
  uint64_t term_ = 0;
  SharedValues shared_;
  CommitterOptions options_{.core_version = "test"};
  std::optional<Committer> committer_;
  ScriptedState scripted_;
};

TEST_F(CommitTest, WhatWasCommittedIsRecovered) {
  scripted_.WriteJob("a", "first").WriteJob("b", "second").WriteNode("n", "node").CountToken();
  Commit();
  scripted_.WriteJob("a", "renamed");
  Commit();
  const auto recovered = Recover(store_, {});
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(Words(recovered->state), Words(scripted_.state()));
}

TEST_F(CommitTest, WhatIsDeletedLeavesItsRequestAlone) {
  scripted_.WriteJob("a", "first").WriteJob("ab", "second");
  Commit();
  scripted_.WriteJob("a", "renamed");
  const Batch before = Make();
  // The record that it overwrites is on its way to the disk: the undo image must not be of older.
  scripted_.DeleteJob("a");
  const Batch gone = Make();
  ASSERT_TRUE(store_.Commit(term_, {before, gone}).ok());
  committer_->Committed(committer_->last_sequence());
  const auto recovered = Recover(store_, {});
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(Words(recovered->state), Words(scripted_.state()));
  EXPECT_EQ(recovered->state.deleted, scripted_.state().deleted);
  EXPECT_EQ(Count(Table::kNotes, NotesPrefix("a")), 0u);
  EXPECT_EQ(Count(Table::kNotes, NotesPrefix("ab")), 1u);
}

TEST_F(CommitTest, ASpecIsStoredOnce) {
  scripted_.WriteJob("a", "first");
  Commit();
  EXPECT_EQ(Count(Table::kShared, "s"), 1u);
  scripted_.WriteJob("a", "second");
  for (const Put& put : Make().puts) EXPECT_NE(put.table, Table::kShared);
}

TEST_F(CommitTest, ARefusalLeavesNoTrace) {
  state::Outputs refused;
  refused.reply = absl::NotFoundError("no such job");
  const auto batch = committer_->Make(scripted_.state(), state::JobCancelled{}, refused, 5);
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->puts.empty());
  EXPECT_EQ(committer_->last_sequence(), 0u);
}

TEST_F(CommitTest, NotesAreFoundByJobInOrder) {
  scripted_.WriteJob("a", "one").WriteJob("b", "other");
  Commit();
  scripted_.WriteJob("a", "two");
  Commit();
  const auto notes = ReadNotes(store_, "a");
  ASSERT_TRUE(notes.ok());
  ASSERT_EQ(notes->size(), 2u);
  EXPECT_EQ((*notes)[0].text, "Its name is one.");
  EXPECT_EQ((*notes)[1].text, "Its name is two.");
  EXPECT_TRUE(ReadNotes(store_, "nobody")->empty());
}

TEST_F(CommitTest, ARecordIsSavedOnceInASegment) {
  scripted_.WriteJob("a", "one");
  Commit();
  scripted_.WriteJob("a", "two");
  for (const Put& put : Make().puts) EXPECT_NE(put.table, Table::kUndo);
}

TEST_F(CommitTest, ARunBeginsASegmentOfItsOwnAndCountsOn) {
  scripted_.WriteJob("a", "one");
  Commit();
  Start();
  scripted_.WriteJob("a", "two");
  Commit();
  EXPECT_EQ(committer_->last_sequence(), 2u);
  EXPECT_TRUE(store_.Get(Table::kLog, LogKey(1, 0)).ok());
  EXPECT_TRUE(store_.Get(Table::kLog, LogKey(2, 0)).ok());
  EXPECT_TRUE(store_.Get(Table::kLog, LogKey(2, 2)).ok());
}

TEST_F(CommitTest, SegmentsEndByAgeBytesAndRecords) {
  options_.segment_age_ms = 1000;
  options_.segment_records = 3;
  Start();
  scripted_.WriteJob("a", "one");
  Commit(0);
  scripted_.WriteJob("a", "two");
  Commit(999);
  EXPECT_FALSE(store_.Get(Table::kLog, LogKey(2, 0)).ok());
  scripted_.WriteJob("a", "three");
  Commit(1000);
  EXPECT_TRUE(store_.Get(Table::kLog, LogKey(2, 0)).ok()) << "age";
  scripted_.WriteJob("b", "1").WriteJob("c", "1").WriteJob("d", "1");
  Commit(1001);
  scripted_.WriteJob("a", "four");
  Commit(1002);
  EXPECT_TRUE(store_.Get(Table::kLog, LogKey(3, 0)).ok()) << "records";

  options_.segment_bytes = 1;
  Start();
  for (int i = 0; i < 2; ++i) {
    scripted_.WriteJob("a", "five");
    Commit(1003);
  }
  EXPECT_TRUE(store_.Get(Table::kLog, LogKey(5, 0)).ok()) << "bytes";
}

// It is in no record, so that a replay of any segment begins with it.
TEST_F(CommitTest, ASegmentsHeadHasWhoReachesWhomAsTheEventBeforeLeftIt) {
  options_.segment_age_ms = 1000;
  Start();
  const auto head = [&](uint64_t segment) {
    std::string bytes;
    EXPECT_TRUE(ExportSegment(store_, segment, [&](absl::string_view piece) {
                  bytes.append(piece.data(), piece.size());
                  return absl::OkStatus();
                }).ok());
    auto reader = SegmentReader::Open(bytes);
    EXPECT_TRUE(reader.ok()) << reader.status();
    return reader->TakeHead().begin.state.reach;
  };
  scripted_.CountToken();
  Commit(0);
  EXPECT_EQ(head(1), state::Reach());
  scripted_.ShowReach("a", "b");
  Commit(1000);
  EXPECT_FALSE(store_.Get(Table::kLog, LogKey(2, 0)).ok()) << "it waits for one that shows nothing";
  scripted_.CountToken();
  Commit(1001);
  EXPECT_EQ(head(2), scripted_.state().reach);
  scripted_.ShowReach("b", "a");
  Commit(1002);
  scripted_.CountToken();
  Commit(3000);
  EXPECT_EQ(head(3), scripted_.state().reach);
}

TEST_F(CommitTest, OldSegmentsGoByAge) {
  options_.segment_age_ms = 1000;
  options_.log_age_ms = 5000;
  Start();
  for (int64_t now_ms = 0; now_ms <= 20'000; now_ms += 500) {
    scripted_.WriteJob("a", "name");
    Commit(now_ms);
  }
  // Closed no longer ago than 5 s, and the open one.
  EXPECT_EQ(Count(Table::kLog), 6u * 3 + 2);
  EXPECT_EQ(Count(Table::kUndo), 7u);
  EXPECT_EQ(Count(Table::kLog, NumberKey(1)), 0u);
}

TEST_F(CommitTest, OldSegmentsGoBySize) {
  options_.segment_bytes = 1;  // one event each
  options_.log_bytes = 2000;
  Start();
  for (int i = 0; i < 200; ++i) {
    scripted_.WriteJob("a", "name");
    Commit();
  }
  size_t bytes = 0;
  for (const Table table : {Table::kLog, Table::kUndo}) {
    ASSERT_TRUE(store_
                    .Scan(table, "",
                          [&](absl::string_view, absl::string_view value) {
                            bytes += value.size();
                            return absl::OkStatus();
                          })
                    .ok());
  }
  EXPECT_GT(bytes, 1000u);
  EXPECT_LT(bytes, 4000u);
}

TEST_F(CommitTest, AFailedCommitIsLatched) {
  store_.FailNextCommit(absl::ResourceExhaustedError("disk full"), MemoryStore::Left::kNothing);
  scripted_.WriteJob("a", "one");
  EXPECT_TRUE(absl::IsResourceExhausted(store_.Commit(term_, {Make()})));
  EXPECT_TRUE(absl::IsResourceExhausted(store_.Commit(term_, {Batch()}))) << "latched";
  store_.Reopen();
  EXPECT_TRUE(store_.Commit(term_, {Batch()}).ok());
}

}  // namespace
}  // namespace baton::store
