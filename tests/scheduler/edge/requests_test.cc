// What the scheduler accepts from clients and workers: validate and from_wire.
#include <gtest/gtest.h>

#include "common/ids.h"
#include "scheduler/edge/from_wire.h"
#include "scheduler/edge/validate.h"

namespace baton::edge {
namespace {

v1::SubmitJobsRequest GoodSubmit() {
  v1::SubmitJobsRequest request;
  request.set_request_id("0123456789abcdef0123456789abcdef");
  request.mutable_submitter()->set_owner("ada");
  v1::JobSpec* spec = request.add_jobs();
  spec->set_name("lenet");
  spec->mutable_ranks()->set_min(1);
  spec->mutable_ranks()->set_max(4);
  spec->set_shards(4);
  spec->set_retries(3);
  spec->set_package_digest(std::string(64, 'a'));
  spec->set_spec_file("spec.yaml");
  return request;
}

std::string Words(const v1::SubmitJobsRequest& request) {
  const auto event = SubmitFromWire(request);
  if (event.ok()) return "";
  EXPECT_EQ(event.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(event.status().message());
}

TEST(Submit, BecomesAnEventWithIdsThatFollowFromTheRequest) {
  v1::SubmitJobsRequest request = GoodSubmit();
  *request.add_jobs() = request.jobs(0);
  request.mutable_jobs(1)->set_name("other");
  const auto event = SubmitFromWire(request);
  ASSERT_TRUE(event.ok()) << event.status();
  ASSERT_EQ(event->jobs.size(), 2u);
  EXPECT_EQ(event->jobs[0].id, JobId(request.request_id(), 0));
  EXPECT_EQ(event->jobs[1].id, JobId(request.request_id(), 1));
  // They differ in nothing but their names, so they share a spec, and it comes back whole.
  EXPECT_EQ(event->jobs[0].spec, event->jobs[1].spec);
  const auto spec = SpecToWire(*event->jobs[1].spec, event->jobs[1].name);
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->SerializeAsString(), request.jobs(1).SerializeAsString());
  EXPECT_EQ(event->jobs[0].spec->resources.cpus_milli, 1'000);
  EXPECT_EQ(event->jobs[0].spec->checkpoints_kept, 3);
}

TEST(Submit, TheDigestIsOfTheRequestWithoutItsId) {
  v1::SubmitJobsRequest request = GoodSubmit();
  const uint64_t digest = SubmitFromWire(request)->request_digest;
  request.set_request_id("another-id-another-id");
  EXPECT_EQ(SubmitFromWire(request)->request_digest, digest);
  request.mutable_jobs(0)->set_priority(1);
  EXPECT_NE(SubmitFromWire(request)->request_digest, digest);
}

TEST(Submit, AllMistakesAreNamedAtOnceWithTheirFields) {
  v1::SubmitJobsRequest request = GoodSubmit();
  v1::JobSpec* spec = request.mutable_jobs(0);
  spec->set_name("a b");
  spec->mutable_ranks()->set_min(0);
  spec->mutable_resources()->set_gpus(-1);
  spec->set_params_json("[1]");
  const std::string words = Words(request);
  for (const char* field :
       {"jobs[0].name", "jobs[0].ranks.min", "jobs[0].resources.gpus", "jobs[0].params_json"}) {
    EXPECT_NE(words.find(field), std::string::npos) << field << " in: " << words;
  }
}

TEST(Submit, RefusesEachImpossibleField) {
  const auto refused = [](const char* field, const std::function<void(v1::JobSpec&)>& change) {
    v1::SubmitJobsRequest request = GoodSubmit();
    change(*request.mutable_jobs(0));
    const std::string words = Words(request);
    EXPECT_NE(words.find(field), std::string::npos) << field << " in: " << words;
  };
  refused("name", [](v1::JobSpec& s) { s.clear_name(); });
  refused("name", [](v1::JobSpec& s) { s.set_name(std::string(129, 'x')); });
  refused("name", [](v1::JobSpec& s) { s.set_name("../up"); });
  refused("ranks", [](v1::JobSpec& s) { s.mutable_ranks()->set_min(5); });
  refused("ranks.max", [](v1::JobSpec& s) { s.mutable_ranks()->set_max(5); });
  refused("ranks.max", [](v1::JobSpec& s) { s.mutable_ranks()->set_max(1'000'000); });
  refused("shards", [](v1::JobSpec& s) { s.set_shards(-1); });
  refused("shards", [](v1::JobSpec& s) { s.set_shards(0); });
  refused("retries", [](v1::JobSpec& s) { s.set_retries(-1); });
  refused("capacity", [](v1::JobSpec& s) { s.set_capacity(static_cast<v1::Capacity>(77)); });
  refused("package_digest", [](v1::JobSpec& s) { s.set_package_digest("AA"); });
  refused("package_digest", [](v1::JobSpec& s) { s.clear_package_digest(); });
  refused("data_digest", [](v1::JobSpec& s) { s.set_data_digest("../../etc/passwd"); });
  refused("spec_file", [](v1::JobSpec& s) { s.set_spec_file("../spec.yaml"); });
  refused("spec_file", [](v1::JobSpec& s) { s.set_spec_file("/etc/passwd"); });
  refused("command", [](v1::JobSpec& s) { s.add_command(""); });
  refused("environment", [](v1::JobSpec& s) { s.add_environment()->set_name("A=B"); });
  refused("time_limit_ms", [](v1::JobSpec& s) { s.set_time_limit_ms(-1); });
  refused("resources.cpus_milli",
          [](v1::JobSpec& s) { s.mutable_resources()->set_cpus_milli(-5); });
  refused("resources.gpus", [](v1::JobSpec& s) { s.mutable_resources()->set_gpu_type("h100"); });
  refused("any_of[0].gpus", [](v1::JobSpec& s) { s.add_any_of()->set_gpu_type("h100"); });
  refused("launch", [](v1::JobSpec& s) {
    s.clear_command();
    s.set_launch(v1::LAUNCH_NODE);
  });
  refused("ranks_per_node", [](v1::JobSpec& s) { s.set_launch(v1::LAUNCH_NODE); });
  refused("ranks_per_node", [](v1::JobSpec& s) {
    s.mutable_ranks()->set_min(3);
    s.mutable_ranks()->set_max(3);
    s.set_ranks_per_node(2);
  });
  refused("depends_on", [](v1::JobSpec& s) { s.add_depends_on("x"); });
  refused("bytes", [](v1::JobSpec& s) {
    s.set_params_json("{\"a\":\"" + std::string(600 << 10, 'x') + "\"}");
  });
}

TEST(Submit, RefusesEmptyAndOverlongBatchesAndWeakIds) {
  v1::SubmitJobsRequest request = GoodSubmit();
  request.set_request_id("short");
  EXPECT_NE(Words(request).find("request_id"), std::string::npos);
  request = GoodSubmit();
  request.clear_jobs();
  EXPECT_NE(Words(request).find("jobs"), std::string::npos);
  for (int i = 0; i < 101; ++i) *request.add_jobs() = GoodSubmit().jobs(0);
  EXPECT_NE(Words(request).find("101"), std::string::npos);
}

TEST(Submit, ACommandNeedsNeitherPackageNorShards) {
  v1::SubmitJobsRequest request;
  request.set_request_id("0123456789abcdef");
  v1::JobSpec* spec = request.add_jobs();
  spec->set_name("true");
  spec->mutable_ranks()->set_min(1);
  spec->mutable_ranks()->set_max(1);
  spec->add_command("true");
  EXPECT_EQ(Words(request), "");
}

TEST(Submit, WhatAProgramRunsInIsCheckedAndHasLongerToBePrepared) {
  const auto words = [](const std::function<void(v1::JobSpec&)>& change) {
    v1::SubmitJobsRequest request = GoodSubmit();
    v1::JobSpec* spec = request.mutable_jobs(0);
    spec->set_shards(0);
    spec->add_command("true");
    change(*spec);
    return Words(request);
  };
  const std::string good = words([](v1::JobSpec& s) {
    s.mutable_prepare()->set_file("requirements.txt");
    s.mutable_prepare()->add_setup("make");
  });
  EXPECT_EQ(good, "");
  EXPECT_NE(words([](v1::JobSpec& s) { s.mutable_prepare()->set_use("x"); }).find("prepare.use"),
            std::string::npos);
  EXPECT_NE(
      words([](v1::JobSpec& s) { s.mutable_prepare()->set_file("../x"); }).find("prepare.file"),
      std::string::npos);
  EXPECT_NE(words([](v1::JobSpec& s) {
              s.mutable_prepare()->set_image("--privileged");
            }).find("prepare.image"),
            std::string::npos);
  EXPECT_NE(words([](v1::JobSpec& s) {
              s.mutable_prepare()->set_image("x");
              s.mutable_prepare()->add_setup("make");
            }).find("prepare.setup"),
            std::string::npos);
  EXPECT_NE(words([](v1::JobSpec& s) {
              s.mutable_prepare()->add_setup(std::string(65 << 10, 'x'));
            }).find("jobs[0].prepare"),
            std::string::npos);
  v1::SubmitJobsRequest request = GoodSubmit();
  EXPECT_EQ(SubmitFromWire(request)->jobs[0].spec->prepare_limit_ms, 0);
  request.mutable_jobs(0)->set_shards(0);
  request.mutable_jobs(0)->add_command("true");
  request.mutable_jobs(0)->mutable_prepare()->add_setup("make");
  EXPECT_EQ(SubmitFromWire(request)->jobs[0].spec->prepare_limit_ms, 3'600'000);
}

TEST(Hello, RefusesMalformedIds) {
  v1::Hello hello;
  hello.set_node_id(std::string(32, 'a'));
  hello.set_incarnation(std::string(32, 'b'));
  hello.set_name("n");
  EXPECT_TRUE(JoinFromWire(hello).ok());
  hello.set_node_id("../x");
  EXPECT_FALSE(JoinFromWire(hello).ok());
  hello.set_node_id(std::string(32, 'a'));
  hello.set_memory_bytes(-1);
  EXPECT_FALSE(JoinFromWire(hello).ok());
  hello.set_memory_bytes(1);
  hello.add_tasks()->set_stage(static_cast<v1::TaskReport::Stage>(99));
  EXPECT_FALSE(JoinFromWire(hello).ok());
}

TEST(Report, RefusesUnknownStagesAndCutsLongWords) {
  v1::TaskReport report;
  EXPECT_FALSE(ReportFromWire(report, "n", "i").ok());
  report.set_stage(v1::TaskReport::EXITED);
  report.set_error(std::string(100'000, 'x'));
  const auto event = ReportFromWire(report, "n", "i");
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->error.size(), 4'096u);
  report.set_output_digest("nonsense");
  EXPECT_FALSE(ReportFromWire(report, "n", "i").ok());
}

}  // namespace
}  // namespace baton::edge
