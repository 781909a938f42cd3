// What every store promises, held against each implementation.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "scheduler/store/memory_store.h"
#include "scheduler/store/rocksdb_store.h"
#include "scheduler/store/store.h"
#include "tests/scheduler/store/temporary_folder.h"

namespace baton::store {
namespace {

// One implementation, which can be ended and opened again.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual Store& store() = 0;
  virtual void Reopen() = 0;
};

class MemorySubject : public Subject {
 public:
  Store& store() override { return store_; }
  void Reopen() override { store_.Reopen(); }

 private:
  MemoryStore store_;
};

class RocksdbSubject : public Subject {
 public:
  RocksdbSubject() { Reopen(); }
  Store& store() override { return *store_; }
  void Reopen() override {
    store_.reset();
    auto opened = OpenRocksdbStore(folder_.path());
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
};

using Factory = std::function<std::unique_ptr<Subject>()>;

class StoreContractTest : public testing::TestWithParam<std::pair<const char*, Factory>> {
 protected:
  void SetUp() override {
    subject_ = GetParam().second();
    term_ = *store().TakeTerm();
  }
  Store& store() { return subject_->store(); }

  static Batch Puts(std::vector<Put> puts) {
    Batch batch;
    batch.puts = std::move(puts);
    return batch;
  }
  static std::vector<std::string> Scan(const Reader& reader, Table table,
                                       const std::string& prefix) {
    std::vector<std::string> found;
    const absl::Status status =
        reader.Scan(table, prefix, [&](absl::string_view key, absl::string_view value) {
          found.push_back(absl::StrCat(key, "=", value));
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
    return found;
  }

  std::unique_ptr<Subject> subject_;
  uint64_t term_ = 0;
};

using Strings = std::vector<std::string>;

TEST_P(StoreContractTest, WhatIsPutIsReadAlsoAfterReopening) {
  const std::string binary("\0\xff/\n", 4);
  ASSERT_TRUE(store()
                  .Commit(term_, {Puts({{Table::kJobs, binary, binary},
                                        {Table::kNodes, binary, "node"},
                                        {Table::kNodes, "empty", ""}})})
                  .ok());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(*store().Get(Table::kJobs, binary), binary);
    EXPECT_EQ(*store().Get(Table::kNodes, binary), "node");
    EXPECT_EQ(*store().Get(Table::kNodes, "empty"), "");
    EXPECT_TRUE(absl::IsNotFound(store().Get(Table::kLog, binary).status()));
    subject_->Reopen();
  }
}

TEST_P(StoreContractTest, ScanGoesInByteOrderWithinThePrefixAndTable) {
  ASSERT_TRUE(store()
                  .Commit(term_, {Puts({{Table::kJobs, "b/2", "2"},
                                        {Table::kJobs, "b/1", "1"},
                                        {Table::kJobs, "b/\xff", "ff"},
                                        {Table::kJobs, "c", "c"},
                                        {Table::kJobs, "a", "a"},
                                        {Table::kNodes, "b/3", "node"}})})
                  .ok());
  EXPECT_EQ(Scan(store(), Table::kJobs, "b/"), (Strings{"b/1=1", "b/2=2", "b/\xff=ff"}));
  EXPECT_EQ(Scan(store(), Table::kJobs, "").size(), 5u);
  EXPECT_EQ(Scan(store(), Table::kJobs, "\xff"), Strings());
  EXPECT_EQ(Scan(store(), Table::kUndo, ""), Strings());
}

TEST_P(StoreContractTest, AVisitorsErrorStopsTheScan) {
  ASSERT_TRUE(
      store().Commit(term_, {Puts({{Table::kJobs, "a", ""}, {Table::kJobs, "b", ""}})}).ok());
  int visits = 0;
  EXPECT_TRUE(
      absl::IsCancelled(store().Scan(Table::kJobs, "", [&](absl::string_view, absl::string_view) {
        ++visits;
        return absl::CancelledError("enough");
      })));
  EXPECT_EQ(visits, 1);
}

TEST_P(StoreContractTest, AVisitorMayRead) {
  ASSERT_TRUE(store().Commit(term_, {Puts({{Table::kJobs, "a", "1"}})}).ok());
  EXPECT_TRUE(store()
                  .Scan(Table::kJobs, "",
                        [&](absl::string_view key, absl::string_view) {
                          return store().Get(Table::kJobs, key).status();
                        })
                  .ok());
}

TEST_P(StoreContractTest, DeletesGoBeforePutsAndBatchesInOrder) {
  ASSERT_TRUE(
      store().Commit(term_, {Puts({{Table::kLog, "1a", "old"}, {Table::kLog, "1b", "old"}})}).ok());
  Batch replace = Puts({{Table::kLog, "1b", "new"}, {Table::kLog, "1c", "new"}});
  replace.deletes.push_back({Table::kLog, "1"});
  Batch again = Puts({{Table::kLog, "1c", "newer"}});
  ASSERT_TRUE(store().Commit(term_, {replace, again}).ok());
  EXPECT_EQ(Scan(store(), Table::kLog, ""), (Strings{"1b=new", "1c=newer"}));
}

TEST_P(StoreContractTest, DeletesTakeTheWholePrefixAndNothingElse) {
  const std::string last("\x01\xff", 2);
  ASSERT_TRUE(store()
                  .Commit(term_, {Puts({{Table::kLog, last, ""},
                                        {Table::kLog, last + "\xff", ""},
                                        {Table::kLog, std::string("\x02", 1), ""},
                                        {Table::kUndo, last, ""}})})
                  .ok());
  Batch gone;
  gone.deletes.push_back({Table::kLog, last});
  ASSERT_TRUE(store().Commit(term_, {gone}).ok());
  EXPECT_EQ(Scan(store(), Table::kLog, ""), Strings{"\x02="});
  EXPECT_EQ(Scan(store(), Table::kUndo, "").size(), 1u);
}

TEST_P(StoreContractTest, TermsRiseThroughRestarts) {
  EXPECT_EQ(term_, 1u);
  EXPECT_EQ(*store().TakeTerm(), 2u);
  subject_->Reopen();
  EXPECT_EQ(*store().TakeTerm(), 3u);
}

TEST_P(StoreContractTest, AnotherTermsCommitIsRefusedAndEndsIt) {
  ASSERT_EQ(*store().TakeTerm(), term_ + 1);
  const absl::Status refused = store().Commit(term_, {Puts({{Table::kJobs, "a", ""}})});
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_EQ(refused.message(), "another scheduler has taken over: the term is 2, not 1");
  EXPECT_EQ(store().Commit(term_ + 1, {}), refused) << "the first error is kept";
  EXPECT_FALSE(store().TakeTerm().ok());
  subject_->Reopen();
  EXPECT_TRUE(absl::IsNotFound(store().Get(Table::kJobs, "a").status()));
  EXPECT_TRUE(store().Commit(term_ + 1, {}).ok());
}

TEST_P(StoreContractTest, AViewStaysAsItWas) {
  ASSERT_TRUE(
      store().Commit(term_, {Puts({{Table::kJobs, "a", "1"}, {Table::kNodes, "n", "1"}})}).ok());
  const std::unique_ptr<Reader> view = store().OpenView();
  Batch change = Puts({{Table::kJobs, "b", "2"}, {Table::kNodes, "n", "2"}});
  change.deletes.push_back({Table::kJobs, "a"});
  ASSERT_TRUE(store().Commit(term_, {change}).ok());
  EXPECT_EQ(Scan(*view, Table::kJobs, ""), Strings{"a=1"});
  EXPECT_EQ(*view->Get(Table::kNodes, "n"), "1");
  EXPECT_TRUE(absl::IsNotFound(view->Get(Table::kJobs, "b").status()));
  EXPECT_EQ(Scan(store(), Table::kJobs, ""), Strings{"b=2"});
}

TEST_P(StoreContractTest, FreeFractionIsAShare) {
  const auto fraction = store().FreeFraction();
  ASSERT_TRUE(fraction.ok());
  EXPECT_GT(*fraction, 0.0);
  EXPECT_LE(*fraction, 1.0);
}

INSTANTIATE_TEST_SUITE_P(All, StoreContractTest,
                         testing::Values(std::make_pair("memory", Factory([] {
                                                          return std::make_unique<MemorySubject>();
                                                        })),
                                         std::make_pair("rocksdb", Factory([] {
                                                          return std::make_unique<RocksdbSubject>();
                                                        }))),
                         [](const auto& parameter) { return parameter.param.first; });

}  // namespace
}  // namespace baton::store
