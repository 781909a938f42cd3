#include "scheduler/store/rocksdb_journal.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "tests/scheduler/store/temporary_folder.h"

namespace baton::store {
namespace {

const StreamKey kLog{.job = "job", .attempt = 1, .rank = 0, .metrics = false};

class RocksdbJournalTest : public testing::Test {
 protected:
  void SetUp() override { Reopen({}); }
  void Reopen(RocksdbJournalOptions options) {
    journal_.reset();
    auto opened = OpenRocksdbJournal(folder_.path(), options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    journal_ = *std::move(opened);
  }
  std::string All(const StreamKey& stream = kLog) {
    const auto read = journal_->Read(stream, 0, 1 << 30);
    return read.ok() ? *read : absl::StrCat("error: ", read.status().ToString());
  }

  TemporaryFolder folder_;
  std::unique_ptr<Journal> journal_;
};

TEST_F(RocksdbJournalTest, AppendsAreIdempotentByOffset) {
  EXPECT_EQ(*journal_->Append(kLog, 0, "hello "), 6);
  EXPECT_EQ(*journal_->Append(kLog, 6, "world"), 11);
  EXPECT_EQ(*journal_->Append(kLog, 0, "hello "), 11) << "sent again";
  EXPECT_EQ(*journal_->Append(kLog, 6, "world!"), 12) << "overlapping";
  EXPECT_EQ(*journal_->Append(kLog, 12, ""), 12);
  EXPECT_EQ(All(), "hello world!");
}

TEST_F(RocksdbJournalTest, AGapIsRefused) {
  EXPECT_TRUE(absl::IsOutOfRange(journal_->Append(kLog, 1, "x").status()));
  EXPECT_TRUE(absl::IsNotFound(journal_->Read(kLog, 0, 10).status()));
  EXPECT_EQ(*journal_->Append(kLog, 0, "x"), 1);
  EXPECT_TRUE(absl::IsOutOfRange(journal_->Append(kLog, 2, "x").status()));
}

TEST_F(RocksdbJournalTest, WhatIsRemovedIsGoneForGood) {
  const StreamKey neighbour = {.job = kLog.job + "2"};
  for (const StreamKey& stream :
       {kLog, StreamKey{.job = kLog.job, .attempt = 2, .rank = 1, .metrics = true}, neighbour}) {
    EXPECT_EQ(*journal_->Append(stream, 0, "hello"), 5);
  }
  EXPECT_TRUE(journal_->Remove("nobody").ok());
  EXPECT_TRUE(journal_->Remove(kLog.job).ok());
  EXPECT_TRUE(journal_->Streams(kLog.job)->empty());
  EXPECT_EQ(All(neighbour), "hello");
  Reopen({});
  EXPECT_TRUE(absl::IsNotFound(journal_->Read(kLog, 0, 10).status()));
  EXPECT_EQ(All(neighbour), "hello");
  EXPECT_TRUE(journal_->Remove(kLog.job).ok()) << "again";
}

TEST_F(RocksdbJournalTest, BadKeysAreRefused) {
  for (const char* job : {"", "a/b"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(journal_->Append({.job = job}, 0, "x").status()));
  }
  EXPECT_TRUE(absl::IsInvalidArgument(journal_->Append(kLog, -1, "x").status()));
}

TEST_F(RocksdbJournalTest, WhatWasSyncedIsThereAfterReopening) {
  ASSERT_TRUE(journal_->Append(kLog, 0, "hello").ok());
  ASSERT_TRUE(journal_->Sync().ok());
  Reopen({});
  EXPECT_EQ(All(), "hello");
  EXPECT_EQ(*journal_->Append(kLog, 0, "hello, again"), 12);
  EXPECT_EQ(All(), "hello, again");
}

// Random pieces, sent again from random places, read back in random windows.
TEST_F(RocksdbJournalTest, ReadsAgreeWithTheBytesAtEveryOffset) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const StreamKey stream{.job = absl::StrCat("job", seed), .attempt = 2, .rank = 3};
    std::string whole;
    for (int i = 0; i < 300; ++i) whole += absl::StrCat("line ", random.Next(), "\n");
    int64_t end = 0;
    while (end < static_cast<int64_t>(whole.size())) {
      const int64_t begin = random.Between(0, end);
      const int64_t size = random.Between(0, 400);
      const auto told = journal_->Append(
          stream, begin,
          absl::string_view(whole).substr(static_cast<size_t>(begin), static_cast<size_t>(size)));
      ASSERT_TRUE(told.ok()) << told.status();
      ASSERT_GE(*told, end);
      end = *told;
    }
    for (int i = 0; i < 100; ++i) {
      const int64_t offset = random.Between(0, end + 5);
      const int64_t size = random.Between(1, 1000);
      const std::string expected =
          offset >= end ? "" : whole.substr(static_cast<size_t>(offset), static_cast<size_t>(size));
      ASSERT_EQ(*journal_->Read(stream, offset, size), expected);
    }
  }
}

TEST_F(RocksdbJournalTest, StreamsAreListedWithTheirEnds) {
  const std::vector<StreamKey> keys = {
      {.job = "a", .attempt = 1, .rank = 0, .metrics = false},
      {.job = "a", .attempt = 1, .rank = 0, .metrics = true},
      {.job = "a", .attempt = 1, .rank = 11, .metrics = false},
      {.job = "a", .attempt = 2, .rank = 0, .metrics = false},
  };
  for (size_t i = keys.size(); i-- > 0;) {
    ASSERT_TRUE(journal_->Append(keys[i], 0, "x").ok());
    ASSERT_TRUE(journal_->Append(keys[i], 1, std::string(i, 'x')).ok());
  }
  ASSERT_TRUE(journal_->Append({.job = "aa"}, 0, "other").ok());
  const auto streams = journal_->Streams("a");
  ASSERT_TRUE(streams.ok());
  ASSERT_EQ(streams->size(), keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ((*streams)[i].stream, keys[i]);
    EXPECT_EQ((*streams)[i].end, static_cast<int64_t>(i) + 1);
  }
  EXPECT_TRUE(journal_->Streams("nobody")->empty());
}

TEST_F(RocksdbJournalTest, ALongStreamEndsWithAMarkerAndTheRestIsDropped) {
  Reopen({.stream_bytes_max = 100});
  std::string sent;
  for (int i = 0; i < 40; ++i) {
    const std::string line = absl::StrCat("line ", i, "\n");
    const auto end = journal_->Append(kLog, static_cast<int64_t>(sent.size()), line);
    ASSERT_TRUE(end.ok()) << end.status();
    sent += line;
    // The worker goes on: all it sent is acknowledged.
    ASSERT_GE(*end, static_cast<int64_t>(sent.size()));
  }
  const std::string stored = All();
  EXPECT_TRUE(absl::StrContains(stored, "this log has reached its limit of 100 bytes"));
  EXPECT_TRUE(absl::EndsWith(stored, "]\n"));
  EXPECT_LT(stored.size(), 300u);
  EXPECT_TRUE(absl::StartsWith(stored, sent.substr(0, 50)));

  Reopen({.stream_bytes_max = 100});
  ASSERT_TRUE(journal_->Append(kLog, static_cast<int64_t>(sent.size()), "more\n").ok());
  EXPECT_EQ(All(), stored);
}

TEST_F(RocksdbJournalTest, LongMetricsStayLinesOfJson) {
  Reopen({.stream_bytes_max = 100});
  const StreamKey metrics{.job = "job", .metrics = true};
  std::string sent;
  for (int i = 0; i < 40; ++i) {
    const std::string line = absl::StrCat("{\"step\":", i, "}\n");
    ASSERT_TRUE(journal_->Append(metrics, static_cast<int64_t>(sent.size()), line).ok());
    sent += line;
  }
  EXPECT_TRUE(absl::EndsWith(All(metrics), "{\"truncated_at_bytes\":100}\n"));
}

TEST(RocksdbJournalDiskTest, ANearlyFullDiskRefusesAndLaterGoesOn) {
  TemporaryFolder disk(16 << 20);
  auto opened = OpenRocksdbJournal(disk.path() + "/journal");
  ASSERT_TRUE(opened.ok()) << opened.status();
  Journal& journal = **opened;
  // Every stream of its own, so that none reaches its limit.
  absl::Status status;
  int rank = 0;
  for (; status.ok() && rank < 2000; ++rank) {
    Random random(static_cast<uint64_t>(rank));
    std::string noise(60'000, '\0');
    for (char& c : noise) c = static_cast<char>(random.Next());
    status = journal.Append({.job = "job", .attempt = 1, .rank = rank}, 0, noise).status();
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "workers keep their logs")) << status;
  EXPECT_GT(rank, 50);
  EXPECT_TRUE(journal.Sync().ok());
  EXPECT_EQ(journal.Read({.job = "job", .attempt = 1, .rank = 3}, 0, 100'000)->size(), 60'000u);
}

TEST(RocksdbJournalDiskTest, AfterAFullDiskItGoesOnWhenThereIsRoom) {
  TemporaryFolder disk(32 << 20);
  auto opened = OpenRocksdbJournal(disk.path() + "/journal");
  ASSERT_TRUE(opened.ok()) << opened.status();
  Journal& journal = **opened;
  ASSERT_TRUE(journal.Append(kLog, 0, "hello\n").ok());
  ASSERT_TRUE(journal.Sync().ok());
  const std::string ballast = disk.path() + "/ballast";
  std::ofstream(ballast) << std::string(29 << 20, 'b');
  // There is enough room to try, and not enough to succeed.
  const absl::Status full = journal.Append(kLog, 6, std::string(4 << 20, 'x')).status();
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  std::filesystem::remove(ballast);
  ASSERT_EQ(*journal.Append(kLog, 6, "world\n"), 12);
  ASSERT_TRUE(journal.Sync().ok());
  EXPECT_EQ(*journal.Read(kLog, 0, 100), "hello\nworld\n");
  opened->reset();
  opened = OpenRocksdbJournal(disk.path() + "/journal");
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(*(*opened)->Read(kLog, 0, 100), "hello\nworld\n");
}

}  // namespace
}  // namespace baton::store
