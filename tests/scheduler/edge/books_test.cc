// What the edge keeps beside the state: names of data, what jobs fetched, their secrets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "scheduler/access/sealer.h"
#include "scheduler/edge/dataset_book.h"
#include "scheduler/edge/fetched_data.h"
#include "scheduler/edge/from_wire.h"
#include "scheduler/edge/secret_vault.h"
#include "scheduler/store/memory_store.h"

namespace baton::edge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(DataSetBook, KeepsNamesOverARestart) {
  store::MemoryStore store;
  const uint64_t term = *store.TakeTerm();
  const DataSetEntry photos{"photos", "digest-1", 10, 2, 3, "ann"};
  {
    auto book = *DataSetBook::Open(store, term);
    ASSERT_TRUE(book->Put({"photos", "digest-0", 1, 1, 1, "bob"}).ok());
    ASSERT_TRUE(book->Put(photos).ok());
    ASSERT_TRUE(book->Put({"words", "digest-2", 1, 1, 1, "bob"}).ok());
    ASSERT_TRUE(book->Remove("words").ok());
    EXPECT_TRUE(absl::IsNotFound(book->Remove("words")));
  }
  auto book = *DataSetBook::Open(store, term);
  EXPECT_THAT(book->List(), ElementsAre(photos));
  EXPECT_THAT(book->Manifests(), ElementsAre("digest-1"));
  EXPECT_EQ(*book->Find("photos"), photos);
  EXPECT_THAT(book->Find("words").status().message(), HasSubstr("`baton data ls`"));
}

TEST(DataSetBook, WhatIsNotStoredIsNotThere) {
  store::MemoryStore store;
  auto book = *DataSetBook::Open(store, *store.TakeTerm());
  store.FailNextCommit(absl::ResourceExhaustedError("full"), store::MemoryStore::Left::kNothing);
  EXPECT_FALSE(book->Put({"photos", "digest", 1, 1, 1, ""}).ok());
  EXPECT_THAT(book->List(), IsEmpty());
}

TEST(FetchedData, TheFirstContentIsTheJobs) {
  store::MemoryStore store;
  const uint64_t term = *store.TakeTerm();
  {
    auto fetched = *FetchedData::Open(store, term);
    ASSERT_TRUE(fetched->Record("job", {{"a", "sum-1", 5}}).ok());
    ASSERT_TRUE(fetched->Record("job", {{"a", "sum-1", 5}, {"b", "sum-2", 6}}).ok());
    ASSERT_TRUE(fetched->Record("other", {{"a", "sum-9", 5}}).ok());
  }
  auto fetched = *FetchedData::Open(store, term);
  const absl::Status changed = fetched->Record("job", {{"b", "sum-3", 6}});
  EXPECT_TRUE(absl::IsFailedPrecondition(changed)) << changed;
  EXPECT_THAT(changed.message(), HasSubstr("data whose checksum changed: b had"));
  EXPECT_THAT(changed.message(), HasSubstr("sum-2"));
  EXPECT_THAT(changed.message(), HasSubstr("sum-3"));
  EXPECT_THAT(fetched->Of("job"),
              ElementsAre(FetchedItem{"a", "sum-1", 5}, FetchedItem{"b", "sum-2", 6}));
  fetched->Forget("job");
  EXPECT_THAT(fetched->Of("job"), IsEmpty());
  EXPECT_THAT((*FetchedData::Open(store, term))->Jobs(), ElementsAre("other"));
}

class Vault : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/vault";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    term_ = *store_.TakeTerm();
    sealer_ = *access::Sealer::Open(folder_ + "/key");
  }
  std::string Stored() const {
    std::string all;
    EXPECT_TRUE(store_
                    .Scan(store::Table::kMeta, "",
                          [&all](absl::string_view key, absl::string_view value) {
                            all += std::string(key) + std::string(value);
                            return absl::OkStatus();
                          })
                    .ok());
    return all;
  }

  std::string folder_;
  store::MemoryStore store_;
  uint64_t term_ = 0;
  std::unique_ptr<access::Sealer> sealer_;
};

TEST_F(Vault, KeepsOnceRevealsAndForgets) {
  SecretVault vault(store_, term_, *sealer_);
  ASSERT_TRUE(vault.Keep({{"job", {{"A", "hunter2"}, {"B", "b"}}}}).ok());
  vault.Settle({"job"}, {"job"});
  ASSERT_TRUE(vault.Keep({{"job", {{"A", "other"}}}}).ok());
  vault.Settle({"job"}, {});  // refused: the job is another request's
  EXPECT_EQ(*vault.Reveal("job"), (Secrets{{"A", "hunter2"}, {"B", "b"}}));
  EXPECT_TRUE(absl::IsNotFound(vault.Reveal("none").status()));
  EXPECT_THAT(Stored(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(*vault.Jobs(), ElementsAre("job"));
  vault.Forget("job");
  EXPECT_TRUE(absl::IsNotFound(vault.Reveal("job").status()));
}

TEST_F(Vault, OneOfTwoCopiesOfARequestMakesTheJob) {
  SecretVault vault(store_, term_, *sealer_);
  const SecretVault::ByJob secrets = {{"job", {{"A", "hunter2"}}}};
  ASSERT_TRUE(vault.Keep(secrets).ok());
  ASSERT_TRUE(vault.Keep(secrets).ok());  // the client has asked again
  vault.Settle({"job"}, {});              // the first found the mailbox full
  EXPECT_TRUE(vault.Reveal("job").ok()) << "the second is on its way with them";
  vault.Settle({"job"}, {"job"});
  EXPECT_TRUE(vault.Reveal("job").ok());

  const SecretVault::ByJob others = {{"other", {{"A", "hunter2"}}}};
  ASSERT_TRUE(vault.Keep(others).ok());
  ASSERT_TRUE(vault.Keep(others).ok());
  vault.Settle({"other"}, {"other"});
  vault.Settle({"other"}, {});
  EXPECT_TRUE(vault.Reveal("other").ok()) << "the first made the job";
}

TEST_F(Vault, WhatBecameNoJobIsForgotten) {
  SecretVault vault(store_, term_, *sealer_);
  // Refused, or the request of a job that was deleted since, sent again.
  ASSERT_TRUE(vault.Keep({{"a", {{"A", "hunter2"}}}, {"b", {{"A", "hunter2"}}}}).ok());
  ASSERT_TRUE(vault.Keep({{"a", {{"A", "hunter2"}}}}).ok());
  vault.Settle({"a", "b"}, {});
  EXPECT_THAT(*vault.Jobs(), ElementsAre("a"));
  vault.Settle({"a"}, {});
  EXPECT_THAT(*vault.Jobs(), IsEmpty());
}

TEST_F(Vault, ManyAreKeptInOneWriteOrNone) {
  const SecretVault::ByJob secrets = {{"a", {{"A", "1"}}}, {"b", {{"A", "2"}}}};
  store::MemoryStore full;
  SecretVault failing(full, *full.TakeTerm(), *sealer_);
  full.FailNextCommit(absl::ResourceExhaustedError("full"), store::MemoryStore::Left::kNothing);
  EXPECT_FALSE(failing.Keep(secrets).ok());
  EXPECT_THAT(*failing.Jobs(), IsEmpty());
  SecretVault vault(store_, term_, *sealer_);
  ASSERT_TRUE(vault.Keep(secrets).ok());
  vault.Settle({"a", "b"}, {"a", "b"});
  EXPECT_THAT(*vault.Jobs(), ElementsAre("a", "b"));
  vault.ForgetAll({"a", "b", "none"});
  EXPECT_THAT(*vault.Jobs(), IsEmpty());
}

TEST_F(Vault, AnotherKeyIsSaidInWords) {
  SecretVault vault(store_, term_, *sealer_);
  ASSERT_TRUE(vault.Keep({{"job", {{"A", "hunter2"}}}}).ok());
  const auto other = *access::Sealer::Open(folder_ + "/other");
  const SecretVault later(store_, term_, *other);
  const absl::Status closed = later.Reveal("job").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(closed)) << closed;
  EXPECT_THAT(closed.message(), HasSubstr("--secrets-key"));
}

TEST_F(Vault, TheRequestsDigestKnowsSecretsByTheirMacAlone) {
  v1::SubmitJobsRequest request;
  request.set_request_id("0123456789abcdef0123456789abcdef");
  v1::JobSpec* spec = request.add_jobs();
  spec->set_name("job");
  spec->mutable_ranks()->set_min(1);
  spec->mutable_ranks()->set_max(1);
  spec->add_command("true");
  spec->add_secret_names("A");
  v1::EnvironmentVariable* secret = request.add_secrets();
  secret->set_name("A");
  secret->set_value("hunter2");
  const auto first = SubmitFromWire(request, "mac-1");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(first->jobs[0].spec->wire, Not(HasSubstr("hunter2")));
  EXPECT_NE(SubmitFromWire(request, "mac-2")->request_digest, first->request_digest);
  secret->set_value("hunter3");  // who has the digest can't try values by it
  EXPECT_EQ(SubmitFromWire(request, "mac-1")->request_digest, first->request_digest);

  spec->add_secret_names("B");
  EXPECT_THAT(SubmitFromWire(request).status().message(), HasSubstr("B has no value"));
  spec->clear_secret_names();
  spec->add_secret_names("BATON_X");
  EXPECT_THAT(SubmitFromWire(request).status().message(), HasSubstr("BATON_X"));
  spec->clear_secret_names();
  v1::DataSet* data = spec->add_data();
  data->set_name("../x");
  data->set_uri("s3://bucket/x");
  EXPECT_THAT(SubmitFromWire(request).status().message(), HasSubstr("jobs[0].data[0].name"));
  data->set_name("x");
  data->set_uri("./x");
  EXPECT_THAT(SubmitFromWire(request).status().message(), HasSubstr("upload the data first"));
}

}  // namespace
}  // namespace baton::edge
