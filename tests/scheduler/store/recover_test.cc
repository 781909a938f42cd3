#include "scheduler/store/recover.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "scheduler/store/codec.h"
#include "scheduler/store/codec_sweep.h"
#include "scheduler/store/keys.h"
#include "scheduler/store/memory_store.h"

namespace baton::store {
namespace {

using testing::Test;

class RecoverTest : public Test {
 protected:
  void SetUp() override {
    term_ = *store_.TakeTerm();
    ASSERT_TRUE(PrepareSchema(store_, term_).ok());
  }
  void Put(Table table, const std::string& key, const std::string& value) {
    Batch batch;
    batch.puts.push_back({table, key, value});
    ASSERT_TRUE(store_.Commit(term_, {batch}).ok());
  }
  std::string Refusal() { return std::string(Recover(store_, {}).status().message()); }

  MemoryStore store_;
  uint64_t term_ = 0;
};

TEST_F(RecoverTest, AnEmptyStoreIsAnEmptyState) {
  const auto recovered = Recover(store_, {.lease_ms = 7});
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_TRUE(recovered->state.jobs.empty());
  EXPECT_EQ(recovered->state.config.lease_ms, 7);
  EXPECT_EQ(recovered->state.counters, state::Counters());
}

TEST_F(RecoverTest, PreparingTwiceChangesNothing) {
  EXPECT_TRUE(PrepareSchema(store_, term_).ok());
  EXPECT_EQ(*store_.Get(Table::kMeta, kSchemaKey), "1");
}

TEST_F(RecoverTest, ANewerSchemaIsRefusedWithWhatToUse) {
  Put(Table::kMeta, kSchemaKey, "2");
  EXPECT_TRUE(absl::IsFailedPrecondition(PrepareSchema(store_, term_)));
  EXPECT_EQ(Refusal(),
            "the state was written by a newer baton-scheduler (schema 2; this program knows 1): "
            "use that release or a later one");
}

TEST_F(RecoverTest, AnUnreadableSchemaIsNamed) {
  Put(Table::kMeta, kSchemaKey, "\xff!");
  EXPECT_TRUE(absl::StartsWith(Refusal(), "table meta, key schema: \"\\xff!\" is no version"));
}

TEST_F(RecoverTest, AnotherProgramsStoreIsRefused) {
  MemoryStore other;
  const uint64_t term = *other.TakeTerm();
  Batch batch;
  batch.puts.push_back({Table::kNotes, "x", "y"});
  ASSERT_TRUE(other.Commit(term, {batch}).ok());
  const absl::Status status = PrepareSchema(other, term);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_EQ(status.message(),
            "table notes has records, but the store has no schema version: this is not the state "
            "of a baton-scheduler");
}

TEST_F(RecoverTest, ADamagedRecordNamesTableAndKey) {
  Put(Table::kJobs, "abcdefgh2345678", "\x0a\xff");
  EXPECT_EQ(Refusal(),
            "the stored state is damaged: table jobs, key abcdefgh2345678: these 2 bytes are no "
            "job; restore the folder from a backup (tasks train on meanwhile)");
}

TEST_F(RecoverTest, AJobWithoutItsSpecIsNamed) {
  SharedValues shared;
  state::Job job;
  job.id = "abc";
  job.spec = std::make_shared<const state::JobSpec>();
  job.submitter = std::make_shared<const state::Submitter>();
  Put(Table::kJobs, "abc", EncodeJob(job, shared));
  EXPECT_TRUE(absl::StrContains(Refusal(), "table jobs, key abc: the job spec ")) << Refusal();
  for (const auto& put : shared.TakeFresh()) Put(put.table, put.key, put.value);
  EXPECT_TRUE(Recover(store_, {}).ok());
  Put(Table::kJobs, "xyz", EncodeJob(job, shared));
  EXPECT_TRUE(absl::StrContains(Refusal(), "table jobs, key xyz: the record is another job's"));
}

TEST_F(RecoverTest, EqualSpecsAreOneObject) {
  SharedValues shared;
  state::Job job;
  job.spec = std::make_shared<const state::JobSpec>();
  job.submitter = std::make_shared<const state::Submitter>();
  for (const char* id : {"a", "b"}) {
    job.id = id;
    Put(Table::kJobs, id, EncodeJob(job, shared));
  }
  for (const auto& put : shared.TakeFresh()) Put(put.table, put.key, put.value);
  const auto recovered = Recover(store_, {});
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->state.jobs.at("a").spec, recovered->state.jobs.at("b").spec);
  EXPECT_EQ(recovered->state.jobs.at("a").submitter, recovered->state.jobs.at("b").submitter);
}

TEST_F(RecoverTest, SweepsComeBackWithTheirTrialsInOrder) {
  SharedValues shared;
  state::Sweep sweep;
  sweep.id = "sweep-a";
  sweep.spec = std::make_shared<const state::JobSpec>();
  sweep.submitter = std::make_shared<const state::Submitter>();
  const std::string record = EncodeSweep(sweep, shared);
  for (const store::Put& put : shared.TakeFresh()) Put(put.table, put.key, put.value);
  Put(Table::kMeta, std::string(kSweepPrefix) + "sweep-a", record);
  state::Trial trial;
  for (trial.index = 1; trial.index <= 300; ++trial.index) {
    Put(Table::kMeta, TrialKey("sweep-a", trial.index), EncodeTrial(trial));
  }
  const auto recovered = Recover(store_, {});
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->state.sweeps.at("sweep-a").trials.size(), 300u);
  EXPECT_EQ(recovered->state.sweeps.at("sweep-a").trials.back().index, 300);

  trial.index = 302;
  Put(Table::kMeta, TrialKey("sweep-a", 302), EncodeTrial(trial));
  EXPECT_TRUE(absl::StrContains(Refusal(), "a trial before it is missing")) << Refusal();
}

TEST_F(RecoverTest, ATrialWithoutItsSweepIsDamage) {
  Put(Table::kMeta, TrialKey("sweep-b", 1), EncodeTrial(state::Trial()));
  EXPECT_TRUE(absl::StrContains(Refusal(), "a trial without a sweep")) << Refusal();
}

}  // namespace
}  // namespace baton::store
