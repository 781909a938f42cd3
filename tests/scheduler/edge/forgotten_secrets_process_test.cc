// What is left of secrets in the real program's store: nothing, once their job is deleted or never
// came to be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "baton/v1/sweep.grpc.pb.h"
#include "scheduler/store/keys.h"
#include "scheduler/store/rocksdb_store.h"
#include "tests/scheduler/edge/process_fixture.h"

namespace baton::edge {
namespace {

using testing::ElementsAre;

class ForgottenSecretsTest : public SchedulerProcessTest {
 protected:
  void SetUp() override {
    SchedulerProcessTest::SetUp();
    channel_ = rpc::Dial(address(), {.own_connection = true}).value();
    clients_ = v1::Client::NewStub(channel_);
    sweeps_ = v1::Sweeps::NewStub(channel_);
  }

  // Job or sweep ids that secrets are kept of. The scheduler ends for it, in order.
  std::vector<std::string> Holders() {
    channel_.reset();
    EXPECT_EQ(process_->Kill(SIGTERM), 0);
    std::vector<std::string> ids;
    auto store = store::OpenRocksdbStore(folder_ + "/state");
    EXPECT_TRUE(store.ok()) << store.status();
    if (!store.ok()) return ids;
    const std::string prefix = store::kSecretsPrefix;
    EXPECT_TRUE((*store)
                    ->Scan(store::Table::kMeta, prefix,
                           [&](absl::string_view key, absl::string_view) {
                             ids.emplace_back(key.substr(prefix.size()));
                             return absl::OkStatus();
                           })
                    .ok());
    return ids;
  }

  static v1::SubmitJobsRequest WithSecret(const std::string& request_id, int jobs) {
    v1::SubmitJobsRequest request = Submission(request_id, jobs);
    for (v1::JobSpec& spec : *request.mutable_jobs()) spec.add_secret_names("TOKEN");
    v1::EnvironmentVariable* secret = request.add_secrets();
    secret->set_name("TOKEN");
    secret->set_value("hunter2");
    return request;
  }

  template <typename Stub, typename Request, typename Response>
  absl::Status Call(Stub& stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    rpc::SetDeadline(context, kDeadlineMs);
    return rpc::FromGrpc((stub.*method)(&context, request, response));
  }

  absl::Status CancelAndDelete(const std::string& job) {
    v1::CancelJobRequest cancel;
    cancel.set_job(job);
    v1::CancelJobResponse cancelled;
    absl::Status status = Call(*clients_, &v1::Client::Stub::CancelJob, cancel, &cancelled);
    if (!status.ok()) return status;
    v1::DeleteJobRequest request;
    request.set_job(job);
    v1::DeleteJobResponse response;
    return Call(*clients_, &v1::Client::Stub::DeleteJob, request, &response);
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Client::Stub> clients_;
  std::unique_ptr<v1::Sweeps::Stub> sweeps_;
};

TEST_F(ForgottenSecretsTest, GoWithTheirJobAndDoNotComeBackWithItsRequest) {
  Caller caller(address());
  const v1::SubmitJobsRequest request = WithSecret(RandomId(), 2);
  const auto submitted = caller.Submit(request);
  ASSERT_TRUE(submitted.ok()) << submitted.status();
  const std::string gone = submitted->job_ids(0);
  const std::string stays = submitted->job_ids(1);
  ASSERT_TRUE(CancelAndDelete(gone).ok());
  // The client has not heard the answer to its submit and asks again.
  EXPECT_EQ(caller.Submit(request)->job_ids(0), gone);
  // Another request under the same id, and one that is refused, leave nothing.
  v1::SubmitJobsRequest other = WithSecret(request.request_id(), 1);
  other.mutable_jobs(0)->set_name("another");
  EXPECT_TRUE(absl::IsAlreadyExists(caller.Submit(other).status()));
  v1::SubmitJobsRequest fork = WithSecret(RandomId(), 1);
  fork.mutable_jobs(0)->set_from_job("none");
  EXPECT_FALSE(caller.Submit(fork).ok());
  EXPECT_THAT(Holders(), ElementsAre(stays));
}

TEST_F(ForgottenSecretsTest, GoWithTheirSweep) {
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i) {
    v1::SubmitSweepRequest request;
    request.set_request_id(RandomId());
    request.set_queue_anyway(true);
    *request.mutable_job() = WithSecret(RandomId(), 1).jobs(0);
    *request.mutable_secrets() = WithSecret(RandomId(), 1).secrets();
    v1::SweepPlan* plan = request.mutable_plan();
    plan->set_metric("acc");
    plan->set_goal(v1::SweepPlan::MAXIMIZE);
    plan->set_algorithm(v1::SweepPlan::GRID);
    plan->set_max_trials(2);
    plan->set_parallel_trials(1);
    v1::SweepParam* param = plan->add_params();
    param->set_name("x");
    param->set_kind(v1::SweepParam::CHOICE);
    param->add_choices_json("1");
    param->add_choices_json("2");
    v1::SubmitSweepResponse response;
    const absl::Status status = Call(*sweeps_, &v1::Sweeps::Stub::SubmitSweep, request, &response);
    ASSERT_TRUE(status.ok()) << status;
    ids.push_back(response.sweep_id());
  }
  v1::DeleteSweepRequest wish;
  wish.set_sweep(ids[0]);
  v1::DeleteSweepResponse gone;
  EXPECT_TRUE(
      absl::IsFailedPrecondition(Call(*sweeps_, &v1::Sweeps::Stub::DeleteSweep, wish, &gone)));
  v1::StopSweepRequest stop;
  stop.set_sweep(ids[0]);
  v1::StopSweepResponse stopped;
  ASSERT_TRUE(Call(*sweeps_, &v1::Sweeps::Stub::StopSweep, stop, &stopped).ok());
  // Its trial, if one was made, is cancelled at once and then read.
  absl::Status deleted;
  for (int i = 0; i < 200; ++i) {
    deleted = Call(*sweeps_, &v1::Sweeps::Stub::DeleteSweep, wish, &gone);
    if (!absl::IsFailedPrecondition(deleted)) break;
    usleep(50'000);
  }
  ASSERT_TRUE(deleted.ok()) << deleted;
  EXPECT_LE(gone.jobs(), 1);
  EXPECT_THAT(Holders(), ElementsAre(ids[1]));
}

}  // namespace
}  // namespace baton::edge
