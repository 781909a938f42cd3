#include "client/verify.h"

#include "absl/strings/str_cat.h"
#include "common/contract.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace baton::client {
namespace {

using testing::HasSubstr;

// A native job that ran on up to 3 of 4 shards, with checkpoints of steps 250 and 390.
v1::Job SomeJob() {
  v1::Job job;
  job.set_id("0123456789ab");
  job.set_name("lenet");
  v1::JobSpec& spec = *job.mutable_spec();
  spec.set_name("lenet");
  spec.set_shards(4);
  spec.mutable_ranks()->set_min(1);
  spec.mutable_ranks()->set_max(3);
  spec.set_package_digest("p");
  spec.set_data_digest("d");
  spec.set_time_limit_ms(1000);
  spec.set_ranks_per_node(1);
  spec.mutable_membership()->set_sweep_id("s");
  v1::EnvironmentVariable* sets = spec.add_environment();
  sets->set_name(contract::kSpecSets);
  sets->set_value("optimizer.lr=0.1");
  job.add_attempts()->set_world_size(3);
  job.add_attempts()->set_world_size(2);
  for (const int step : {250, 390}) {
    v1::Checkpoint* checkpoint = job.add_checkpoints();
    checkpoint->set_name(absl::StrCat("step-00000", step));
    checkpoint->set_step(step);
    checkpoint->set_attempt(1);
  }
  return job;
}

ChainEntries Entries(const std::vector<std::pair<int64_t, std::string>>& heads) {
  ChainEntries entries;
  for (const auto& [step, head] : heads) entries[step].push_back({head, 1});
  return entries;
}

const ChainEntries kFive = Entries({{100, "a"}, {200, "b"}, {300, "c"}, {400, "d"}, {469, "e"}});

std::string VariableOf(const v1::JobSpec& spec, const std::string& name) {
  std::string value;
  for (const v1::EnvironmentVariable& variable : spec.environment()) {
    if (variable.name() == name) value += variable.value();
  }
  return value;
}

std::string Refusal(const v1::Job& job, const ChainEntries& entries, const VerifyOptions& options) {
  const auto plan = PlanReplay(job, entries, options);
  return plan.ok() ? "none" : std::string(plan.status().message());
}

TEST(ChainEntries, AreThoseOfTheChainAndOfEveryAttempt) {
  MetricLines metrics;
  metrics.Add(1, 0, "{\"step\":100,\"loss\":1}\n{\"step\":100,\"chain\":\"a\"}\n");
  metrics.Add(1, 0, "{\"step\":200,\"chain\":\"b\"}\n");
  metrics.Add(2, 0,
              "{\"event\":\"resumed\",\"from_step\":150}\n{\"step\":200,\"chain\":\"x\"}\n"
              "{\"event\":\"finished\",\"step\":250,\"chain\":\"x\"}\n{\"step\":7,\"chain\":1}\n");
  const ChainEntries entries = ChainEntriesOf(metrics);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries.at(100)[0].head, "a");
  ASSERT_EQ(entries.at(200).size(), 2u);
  EXPECT_EQ(entries.at(200)[1].head, "x");
  EXPECT_EQ(entries.at(200)[1].attempt, 2);
}

TEST(PlanReplay, TheWholeRunBeginsAsTheJobDid) {
  const auto plan = PlanReplay(SomeJob(), kFive, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->expected.size(), 5u);
  EXPECT_EQ(plan->ranks, 1);
  EXPECT_EQ(plan->ranks_before, 3);
  EXPECT_EQ(plan->spec.name(), "verify-lenet");
  EXPECT_EQ(plan->spec.from_job(), "");
  EXPECT_EQ(plan->spec.ranks().min(), 1);
  EXPECT_EQ(plan->spec.ranks().max(), 1);
  EXPECT_EQ(plan->spec.ranks_per_node(), 0);
  EXPECT_EQ(plan->spec.time_limit_ms(), 0);
  EXPECT_FALSE(plan->spec.has_membership());
  EXPECT_EQ(plan->spec.package_digest(), "p");
  EXPECT_EQ(plan->spec.data_digest(), "d");
  EXPECT_EQ(VariableOf(plan->spec, contract::kSpecSets), "optimizer.lr=0.1");
  EXPECT_EQ(VariableOf(plan->spec, contract::kReplayTo), "469");
}

TEST(PlanReplay, ARangeBeginsWithTheNewestCheckpointBeforeIt) {
  const auto plan = PlanReplay(SomeJob(), kFive, {.from = 390, .to = 450});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->expected, Entries({{400, "d"}}));
  EXPECT_EQ(plan->begins_with, "step-00000250");
  EXPECT_EQ(plan->spec.from_job(), "0123456789ab");
  EXPECT_EQ(plan->spec.from_checkpoint(), "step-00000250");
  // Nothing after the last entry of the range is repeated.
  EXPECT_EQ(VariableOf(plan->spec, contract::kReplayTo), "400");
  EXPECT_EQ(PlanReplay(SomeJob(), kFive, {.from = 391})->begins_with, "step-00000390");
  EXPECT_EQ(PlanReplay(SomeJob(), kFive, {.from = 200})->begins_with, "");
}

TEST(PlanReplay, AJobThatBeganWithAnotherOnesCheckpointDoesSoAgain) {
  v1::Job job = SomeJob();
  job.mutable_spec()->set_from_job("other");
  job.mutable_spec()->set_from_checkpoint("step-00000050");
  job.mutable_checkpoints(0)->set_attempt(0);
  const auto plan = PlanReplay(job, kFive, {.from = 300});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->begins_with, "");
  EXPECT_EQ(plan->spec.from_job(), "other");
  EXPECT_EQ(plan->spec.from_checkpoint(), "step-00000050");
}

TEST(PlanReplay, ItTakesAnotherNumberOfRanksWhereTheShardsAllow) {
  v1::Job job = SomeJob();
  job.clear_attempts();
  EXPECT_EQ(PlanReplay(job, kFive, {})->ranks, 2);
  EXPECT_EQ(PlanReplay(job, kFive, {.ranks = 4})->ranks, 4);
  job.mutable_spec()->set_shards(1);
  EXPECT_EQ(PlanReplay(job, kFive, {})->ranks, 1);
  EXPECT_THAT(Refusal(job, kFive, {.ranks = 2}), HasSubstr("--ranks 2: job lenet has 1 shards"));
}

TEST(PlanReplay, OfAReplayItselfTheEndIsSetOnce) {
  v1::Job job = SomeJob();
  v1::EnvironmentVariable* to = job.mutable_spec()->add_environment();
  to->set_name(contract::kReplayTo);
  to->set_value("900");
  EXPECT_EQ(VariableOf(PlanReplay(job, kFive, {})->spec, contract::kReplayTo), "469");
}

TEST(PlanReplay, SaysWhyThereIsNothingToRepeat) {
  EXPECT_THAT(Refusal(SomeJob(), {}, {}), HasSubstr("has no entry of a hash chain yet"));
  EXPECT_THAT(Refusal(SomeJob(), kFive, {.from = 401, .to = 450}),
              HasSubstr("steps 401 to 450: job lenet has no entry of its hash chain there; it has "
                        "5 from step 100 to 469"));
  EXPECT_THAT(Refusal(SomeJob(), kFive, {.from = 500}), HasSubstr("no entry"));
  EXPECT_THAT(Refusal(SomeJob(), kFive, {.to = 500}), HasSubstr("reaches step 469"));
  v1::Job job = SomeJob();
  job.mutable_spec()->add_command("python3");
  EXPECT_THAT(Refusal(job, kFive, {}), HasSubstr("only native training"));
}

TEST(CompareChains, TellsTheFirstThatDiffers) {
  const v1::Job job = SomeJob();
  const ReplayPlan plan = *PlanReplay(job, kFive, {.from = 200});
  const ChainVerdict same =
      CompareChains(plan.expected, Entries({{200, "b"}, {300, "c"}, {400, "d"}, {469, "e"}}));
  EXPECT_EQ(same.same, 4);
  EXPECT_FALSE(same.first);
  EXPECT_EQ(same.missing, 0);
  EXPECT_EQ(VerdictText(job, plan, same),
            "steps 200 to 469: 4 of 4 entries of the hash chain are the same (lenet on up to 3 "
            "ranks, repeated on 1 rank from the beginning)");
  const ChainVerdict other =
      CompareChains(plan.expected, Entries({{200, "b"}, {300, "y"}, {400, "z"}}));
  EXPECT_EQ(other.same, 1);
  ASSERT_TRUE(other.first);
  EXPECT_EQ(other.first->step, 300);
  EXPECT_EQ(other.missing, 469);
  EXPECT_THAT(VerdictText(job, plan, other),
              HasSubstr("the first that differs is of step 300: attempt 1 of lenet has c..., the "
                        "replay y..."));
  EXPECT_EQ(VerdictJson(job, "r", plan, other)["first_difference"]["replayed"], "y");
  EXPECT_TRUE(VerdictJson(job, "r", plan, same)["first_difference"].is_null());
}

// One of them is not the run that the spec defines, whatever the later one says.
TEST(CompareChains, EveryAttemptOfTheJobHasToAgree) {
  ChainEntries twice = Entries({{100, "x"}});
  twice[100].push_back({"a", 2});
  const ChainVerdict verdict = CompareChains(twice, Entries({{100, "a"}}));
  EXPECT_EQ(verdict.same, 0);
  ASSERT_TRUE(verdict.first);
  EXPECT_EQ(verdict.first->recorded.head, "x");
}

}  // namespace
}  // namespace baton::client
