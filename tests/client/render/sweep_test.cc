#include "client/render/sweep.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"

namespace baton::client {
namespace {

v1::Sweep SomeSweep() {
  v1::Sweep sweep;
  sweep.set_id("7k2mabcdefghjkm");
  sweep.set_name("tuning");
  sweep.set_state(v1::SWEEP_RUNNING);
  sweep.set_trials_made(3);
  sweep.set_trials_live(1);
  sweep.set_trials_succeeded(1);
  sweep.set_best(1);
  v1::SweepPlan* plan = sweep.mutable_plan();
  plan->set_metric("acc");
  plan->set_goal(v1::SweepPlan::MAXIMIZE);
  plan->set_algorithm(v1::SweepPlan::RANDOM);
  plan->set_max_trials(10);
  plan->set_parallel_trials(2);
  v1::SweepParam* lr = plan->add_params();
  lr->set_name("lr");
  lr->set_kind(v1::SweepParam::DOUBLE);
  lr->set_min(0.0001);
  lr->set_max(0.1);
  lr->set_scale(v1::SweepParam::LOG);
  v1::SweepParam* opt = plan->add_params();
  opt->set_name("opt");
  opt->set_kind(v1::SweepParam::CHOICE);
  opt->add_choices_json("\"sgd\"");
  opt->add_choices_json("\"adam\"");
  v1::Trial* first = sweep.add_trials();
  first->set_index(1);
  first->set_job_id("job-one");
  first->set_state(v1::SUCCEEDED);
  first->set_params_json(R"({"lr":0.00123,"opt":"adam"})");
  first->set_metric(0.9375);
  first->set_step(1'500);
  first->set_preemptions(2);
  first->set_done(true);
  v1::Trial* second = sweep.add_trials();
  second->set_index(2);
  second->set_job_id("job-two");
  second->set_state(v1::FAILED);
  second->set_params_json(R"({"lr":0.05,"opt":"sgd"})");
  second->set_reason("attempt 1: rank 0 exited with code 1");
  second->set_done(true);
  v1::Trial* third = sweep.add_trials();
  third->set_index(3);
  third->set_job_id("job-three");
  third->set_state(v1::RUNNING);
  third->set_params_json(R"({"lr":0.002,"opt":"sgd"})");
  third->set_metric(0.5);
  return sweep;
}

TEST(Trials, AsATableWithTheBest) {
  EXPECT_EQ(
      TrialsText(SomeSweep()),
      "tuning  7k2mabcdefghjkm  RUNNING  random search for the highest acc  3 of at most 10 "
      "trials, "
      "1 live\n\n"
      "TRIAL  STATE      lr       opt   acc         STEP   PREEMPTED  COST     JOB        REASON\n"
      "1 *    SUCCEEDED  0.00123  adam  0.9375      1 500  2          $0.0000  job-one\n"
      "2      FAILED     0.05     sgd   -           0      0          $0.0000  job-two    attempt "
      "1: "
      "rank 0 exited with code 1\n"
      "3      RUNNING    0.002    sgd   0.5 so far  0      0          $0.0000  job-three\n\n"
      "best: trial 1, acc 0.9375 with lr=0.00123 opt=adam\n"
      "next: baton collect job-one\n");
}

TEST(Trials, AsJsonThatScriptsRelyOn) {
  const nlohmann::ordered_json json = TrialsJson(SomeSweep());
  EXPECT_EQ(json["best"], 1);
  ASSERT_EQ(json["trials"].size(), 3u);
  const nlohmann::ordered_json& first = json["trials"][0];
  EXPECT_EQ(first["id"], 1);
  EXPECT_EQ(first["job"], "job-one");
  EXPECT_EQ(first["state"], "SUCCEEDED");
  EXPECT_EQ(first["params"], nlohmann::ordered_json::parse(R"({"lr":0.00123,"opt":"adam"})"));
  EXPECT_EQ(first["metric"], 0.9375);
  EXPECT_EQ(first["steps"], 1'500);
  EXPECT_EQ(first["preemptions"], 2);
  EXPECT_TRUE(json["trials"][1]["metric"].is_null());
  v1::Sweep none = SomeSweep();
  none.set_best(0);
  EXPECT_TRUE(TrialsJson(none)["best"].is_null());
  EXPECT_FALSE(SweepJson(none).contains("trials"));
}

TEST(Plan, IsTellableBeforeItIsSent) {
  EXPECT_EQ(PlanText(SomeSweep().plan()),
            "random search to maximize acc: at most 10 trials, 2 at a time\n"
            "  lr: 0.0001 to 0.1, on a log scale\n"
            "  opt: \"sgd\", \"adam\"");
}

TEST(Plan, AsJsonForWhoChecksItFirst) {
  v1::SweepPlan plan = SomeSweep().plan();
  plan.set_seed(7);
  EXPECT_EQ(PlanJson(plan), nlohmann::ordered_json::parse(R"({
    "metric": "acc", "goal": "maximize", "algorithm": "random", "seed": 7, "max_trials": 10,
    "parallel_trials": 2, "params": [
      {"name": "lr", "kind": "double", "min": 0.0001, "max": 0.1, "scale": "log", "steps": null},
      {"name": "opt", "kind": "choice", "values": ["sgd", "adam"]}]})"));
}

TEST(Sweeps, AsATable) {
  const std::string table = SweepTableText({SomeSweep()});
  EXPECT_TRUE(absl::StrContains(table, "3/10")) << table;
  EXPECT_TRUE(absl::StrContains(table, "trial 1")) << table;
}

}  // namespace
}  // namespace baton::client
