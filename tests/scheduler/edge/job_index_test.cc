#include "scheduler/edge/job_index.h"

#include <gtest/gtest.h>

namespace baton::edge {
namespace {

class JobIndexTest : public testing::Test {
 protected:
  void Add(const std::string& id, const std::string& name, int64_t submit_ms,
           const std::string& owner = "ada") {
    state::Job& job = state_.jobs[id];
    job.id = id;
    job.name = name;
    job.submit_ms = submit_ms;
    job.submitter = std::make_shared<const state::Submitter>(
        state::Submitter{.owner = owner, .folder = "host:/" + owner});
  }
  std::string Find(const JobIndex& index, const std::string& what,
                   const std::string& owner = "ada") {
    const auto job = index.Find(what, {.owner = owner, .folder = "host:/" + owner});
    return job.ok() ? (*job)->id : std::string(absl::StatusCodeToString(job.status().code()));
  }
  state::State state_;
};

TEST_F(JobIndexTest, FindsByIdPrefixNameAndLatest) {
  Add("abc1", "lenet", 10);
  Add("abd2", "lenet", 20);
  JobIndex index(state_);
  Add("xyz3", "mlp", 30, "bob");
  index.Update({"xyz3"});
  EXPECT_EQ(Find(index, "abc1"), "abc1");
  EXPECT_EQ(Find(index, "abc"), "abc1");
  EXPECT_EQ(Find(index, "x"), "xyz3");
  EXPECT_EQ(Find(index, "lenet"), "abd2");
  EXPECT_EQ(Find(index, "mlp"), "xyz3");
  EXPECT_EQ(Find(index, "latest"), "abd2");
  EXPECT_EQ(Find(index, "latest", "bob"), "xyz3");
  EXPECT_EQ(Find(index, "latest", "eve"), "NOT_FOUND");
  EXPECT_EQ(Find(index, "nothing"), "NOT_FOUND");
  EXPECT_EQ(Find(index, ""), "INVALID_ARGUMENT");
}

TEST_F(JobIndexTest, AnAmbiguousPrefixNamesTheCandidates) {
  Add("abc1", "one", 10);
  Add("abd2", "two", 20);
  const JobIndex index(state_);
  const auto job = index.Find("ab", {});
  ASSERT_EQ(job.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string words(job.status().message());
  EXPECT_NE(words.find("abc1 (one)"), std::string::npos) << words;
  EXPECT_NE(words.find("abd2 (two)"), std::string::npos) << words;
}

TEST_F(JobIndexTest, PagesAreNewestFirstAndMeetEachJobOnceThoughOthersCome) {
  for (int i = 0; i < 25; ++i) Add("j" + std::to_string(100 + i), "n", 1'000 + i / 5);
  JobIndex index(state_);
  std::vector<std::string> seen;
  std::string token;
  do {
    const auto page = index.List(token, 7);
    ASSERT_TRUE(page.ok());
    for (const state::Job* job : page->jobs) seen.push_back(job->id);
    token = page->next;
    const std::string fresh = "new" + std::to_string(seen.size());
    Add(fresh, "n", 2'000);
    index.Update({fresh});
  } while (!token.empty());
  ASSERT_EQ(seen.size(), 25u);
  EXPECT_EQ(seen.front(), "j124");
  EXPECT_EQ(seen.back(), "j100");
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 25u);
  EXPECT_EQ(index.List("nonsense", 7).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(index.jobs(), 29);
}

TEST_F(JobIndexTest, WhatIsDeletedLeavesTheNextNewest) {
  Add("abc1", "lenet", 10);
  Add("abd2", "lenet", 20);
  JobIndex index(state_);
  for (const std::string id : {"abd2", "abc1"}) {
    const auto taken = state_.jobs.extract(id);
    index.Remove(taken.mapped());
    index.Remove(taken.mapped());
    EXPECT_EQ(Find(index, id), "NOT_FOUND");
    EXPECT_EQ(Find(index, "lenet"), id == "abd2" ? "abc1" : "NOT_FOUND");
    EXPECT_EQ(Find(index, "latest"), id == "abd2" ? "abc1" : "NOT_FOUND");
  }
  EXPECT_EQ(index.jobs(), 0);
  EXPECT_EQ(index.queued(), 0);
}

TEST_F(JobIndexTest, CountsFollowTheStates) {
  Add("a", "n", 1);
  JobIndex index(state_);
  EXPECT_EQ(index.queued(), 1);
  state::Job& job = state_.jobs["a"];
  job.state = state::JobState::kRunning;
  job.history = std::make_unique<state::JobHistory>();
  job.history->attempts.emplace_back();
  index.Update({"a"});
  EXPECT_EQ(index.queued(), 0);
  EXPECT_EQ(index.live().count("a"), 1u);
  job.history->attempts.back().end_ms = 5;
  job.state = state::JobState::kQueued;
  index.Update({"a"});
  EXPECT_EQ(index.queued(), 1);
  EXPECT_TRUE(index.live().empty());
  EXPECT_EQ(index.jobs(), 1);
}

}  // namespace
}  // namespace baton::edge
