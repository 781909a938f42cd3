#include "scheduler/edge/sweep_wire.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "common/contract.h"
#include "scheduler/edge/from_wire.h"
#include "scheduler/edge/sweep_check.h"
#include "scheduler/edge/trial_reader.h"
#include "tests/fakes/memory_journal.h"

namespace baton::edge {
namespace {

v1::SubmitSweepRequest Request() {
  v1::SubmitSweepRequest request;
  request.set_request_id("0123456789abcdef0123456789abcdef");
  v1::JobSpec* job = request.mutable_job();
  job->set_name("tuning");
  job->mutable_ranks()->set_min(1);
  job->mutable_ranks()->set_max(1);
  job->add_command("python3");
  job->add_command("train.py");
  job->set_params_json(R"({"epochs":5,"lr":0.5})");
  v1::SweepPlan* plan = request.mutable_plan();
  plan->set_metric("loss");
  plan->set_goal(v1::SweepPlan::MINIMIZE);
  plan->set_algorithm(v1::SweepPlan::RANDOM);
  plan->set_max_trials(10);
  plan->set_parallel_trials(2);
  v1::SweepParam* param = plan->add_params();
  param->set_name("lr");
  param->set_kind(v1::SweepParam::DOUBLE);
  param->set_min(0.1);
  param->set_max(0.9);
  return request;
}

std::string Refusal(const v1::SubmitSweepRequest& request) {
  return std::string(SweepFromWire(request).status().message());
}

#define EXPECT_HAS(text, part) EXPECT_TRUE(absl::StrContains(text, part)) << (text)

TEST(SweepFromWire, TheSameRequestIsTheSameSweep) {
  const auto first = SweepFromWire(Request());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->id.size(), 15u);
  EXPECT_EQ(SweepFromWire(Request())->id, first->id);
  EXPECT_EQ(SweepFromWire(Request())->request_digest, first->request_digest);
  v1::SubmitSweepRequest other = Request();
  other.mutable_plan()->set_seed(2);
  EXPECT_EQ(SweepFromWire(other)->id, first->id);
  EXPECT_NE(SweepFromWire(other)->request_digest, first->request_digest);
}

TEST(SweepFromWire, AllMistakesAreTold) {
  v1::SubmitSweepRequest bad = Request();
  bad.mutable_job()->clear_ranks();
  bad.mutable_job()->add_secret_names("TOKEN");
  v1::SweepPlan* plan = bad.mutable_plan();
  plan->clear_metric();
  plan->clear_goal();
  plan->set_max_trials(10'001);
  plan->set_parallel_trials(0);
  plan->mutable_params(0)->set_min(2);
  *plan->add_params() = plan->params(0);
  plan->mutable_params(1)->set_scale(v1::SweepParam::LOG);
  plan->mutable_params(1)->set_min(-1);
  v1::SweepParam* choice = plan->add_params();
  choice->set_name("opt");
  choice->set_kind(v1::SweepParam::CHOICE);
  choice->add_choices_json("not json");
  const std::string told = Refusal(bad);
  for (const char* part :
       {"jobs[0].ranks.min", "secret_names", "plan.metric", "plan.goal", "plan.max_trials",
        "plan.parallel_trials", "plan.params[0].min: is above max",
        "plan.params[1].name: is the name of another", "above 0 on a log scale",
        "plan.params[2].choices_json"}) {
    EXPECT_HAS(told, part);
  }
  v1::SubmitSweepRequest grid = Request();
  grid.mutable_plan()->set_algorithm(v1::SweepPlan::GRID);
  EXPECT_HAS(Refusal(grid), "plan.params[0].steps");
  v1::SubmitSweepRequest forged = Request();
  forged.mutable_job()->mutable_membership()->set_sweep_id("another");
  EXPECT_HAS(Refusal(forged), "membership");
}

v1::JobSpec TrialOf(const v1::SubmitSweepRequest& request, const std::string& params) {
  const auto event = SweepFromWire(request);
  const auto trial = TrialSpec(*event->spec, request.plan(), "sweep-id", 3, params);
  EXPECT_TRUE(trial.ok()) << trial.status();
  EXPECT_EQ(trial->sweep, "sweep-id");
  EXPECT_EQ(trial->trial, 3);
  return *SpecToWire(*trial, "tuning-3");
}

TEST(TrialSpec, ParametersJoinTheFlags) {
  const v1::JobSpec wire = TrialOf(Request(), R"({"lr":0.25,"opt":"adam"})");
  EXPECT_EQ(nlohmann::json::parse(wire.params_json()),
            nlohmann::json::parse(R"({"epochs":5,"lr":0.25,"opt":"adam"})"));
  EXPECT_EQ(wire.command_size(), 2);
  EXPECT_EQ(wire.membership().sweep_id(), "sweep-id");
  EXPECT_EQ(wire.membership().index(), 3);
}

TEST(TrialSpec, ParametersAreArgumentsWhereThePlanSaysSo) {
  v1::SubmitSweepRequest request = Request();
  request.mutable_plan()->set_params_as_arguments(true);
  const v1::JobSpec wire = TrialOf(request, R"({"lr":0.25})");
  ASSERT_EQ(wire.command_size(), 4);
  EXPECT_EQ(wire.command(2), "--epochs=5");
  EXPECT_EQ(wire.command(3), "--lr=0.25");
}

TEST(TrialSpec, ParametersOfANativeJobChangeItsSpec) {
  v1::SubmitSweepRequest request = Request();
  request.mutable_job()->clear_command();
  request.mutable_job()->set_shards(1);
  request.mutable_job()->set_package_digest(std::string(64, 'a'));
  request.mutable_job()->set_spec_file("spec.yaml");
  const v1::JobSpec wire = TrialOf(request, R"({"optimizer.lr":0.25,"optimizer.name":"adam"})");
  ASSERT_EQ(wire.environment_size(), 1);
  EXPECT_EQ(wire.environment(0).name(), contract::kSpecSets);
  EXPECT_EQ(wire.environment(0).value(), "optimizer.lr=0.25\noptimizer.name=\"adam\"");
}

TEST(MetricIn, OnlyFiniteNumbersCount) {
  EXPECT_EQ(MetricIn(R"({"loss":0.5,"note":"x"})", "loss"), 0.5);
  EXPECT_EQ(MetricIn(R"({"loss":0.5,"note":"x"})", "note"), std::nullopt);
  EXPECT_EQ(MetricIn(R"({"loss":null})", "loss"), std::nullopt);
  EXPECT_EQ(MetricIn("{}", "loss"), std::nullopt);
  EXPECT_EQ(MetricNames(R"({"loss":0.5,"note":"x","step":3})"), "loss, step");
}

class TrialReaderTest : public testing::Test {
 protected:
  static constexpr int64_t kStarted = 1'000'000;

  TrialReader Reader(bool succeeded = true) {
    return TrialReader({.sweep = "s",
                        .index = 1,
                        .job = "job",
                        .metric = "loss",
                        .succeeded = succeeded,
                        .reason = "it crashed",
                        .attempt = 2,
                        .ranks = {0}});
  }
  void Write(const std::string& text) {
    const store::StreamKey key{.job = "job", .attempt = 2, .rank = 0, .metrics = true};
    offset_ = *journal_.Append(key, offset_, text);
  }
  void End(int64_t bytes) {
    ends_.Set({.job = "job", .attempt = 2, .rank = 0, .metrics = true}, bytes);
  }
  auto Read(TrialReader& reader, int64_t ms) { return reader.Read(sources_, kStarted + ms); }

  store::MemoryJournal journal_;
  StreamEnds ends_;
  MetricsView metrics_{journal_};
  TrialReader::Sources sources_{.journal = journal_,
                                .ends = ends_,
                                .metrics = metrics_,
                                .started_ms = kStarted,
                                .lease_ms = 10'000};
  int64_t offset_ = 0;
};

TEST_F(TrialReaderTest, WaitsForAllThatTheWorkerHasTold) {
  const std::string first = "{\"step\":1,\"loss\":2}\n";
  const std::string last = "{\"step\":2,\"loss\":1.5}\n";
  End(static_cast<int64_t>(first.size() + last.size()));
  TrialReader reader = Reader();
  Write(first);
  EXPECT_FALSE(Read(reader, 0).has_value());
  EXPECT_FALSE(Read(reader, 9'000).has_value());
  Write(last);
  const auto report = Read(reader, 9'100);
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(report->has_metric);
  EXPECT_EQ(std::bit_cast<double>(report->metric_bits), 1.5);
  EXPECT_EQ(report->step, 2);
}

TEST_F(TrialReaderTest, TakesWhatThereIsWhenTheRestNeverComes) {
  End(1'000);
  Write("{\"step\":1,\"loss\":2}\n");
  TrialReader reader = Reader();
  EXPECT_FALSE(Read(reader, 0).has_value());
  EXPECT_TRUE(Read(reader, 10'000).has_value());
}

// Workers come back within a lease of a start, with what they have kept.
TEST_F(TrialReaderTest, AfterAStartItWaitsForALease) {
  Write("{\"step\":1,\"loss\":2}\n");
  TrialReader reader = Reader();
  EXPECT_FALSE(Read(reader, 0).has_value());
  EXPECT_FALSE(Read(reader, 9'999).has_value());
  EXPECT_TRUE(Read(reader, 10'001).has_value());
}

TEST_F(TrialReaderTest, SaysWhatThereIsWhereTheMetricIsNot) {
  const std::string line = "{\"step\":1,\"accuracy\":2}\n";
  Write(line);
  End(static_cast<int64_t>(line.size()));
  TrialReader reader = Reader();
  const auto report = Read(reader, 0);
  ASSERT_TRUE(report.has_value());
  EXPECT_FALSE(report->has_metric);
  EXPECT_EQ(report->detail, "it told no number loss; it told accuracy, step");
}

TEST_F(TrialReaderTest, OfOneThatFailedTheReasonIsTold) {
  TrialReader reader = Reader(false);
  const auto report = Read(reader, 0);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->detail, "it crashed");
}

}  // namespace
}  // namespace baton::edge
