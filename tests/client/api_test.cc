// The client library against a scheduler that restarts, is another version's, or is none.
#include "client/api.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "baton/v1/client.grpc.pb.h"
#include "baton/v1/worker.grpc.pb.h"
#include "common/rpc/server.h"

namespace baton::client {
namespace {

const std::atomic<bool> kGoOn{false};

// Breaks its streams after each message, as a scheduler does that is killed.
class BreakingScheduler : public v1::Client::Service {
 public:
  int protocol = 1;
  std::string log = "one\ntwo\nthree\n";

  grpc::Status GetServer(grpc::ServerContext*, const v1::GetServerRequest*,
                         v1::GetServerResponse* response) override {
    response->set_protocol_min(protocol);
    response->set_protocol_max(protocol);
    response->set_version("9.9");
    return grpc::Status::OK;
  }

  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                      v1::GetJobResponse* response) override {
    if (request->job() == "none") return {grpc::StatusCode::NOT_FOUND, "no job is called none"};
    response->mutable_job()->set_id("id");
    return grpc::Status::OK;
  }

  grpc::Status WatchJob(grpc::ServerContext*, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::WatchJobResponse>* writer) override {
    EXPECT_EQ(request->job(), "id");
    v1::WatchJobResponse response;
    response.mutable_job()->set_state(++watched_ < 3 ? v1::RUNNING : v1::SUCCEEDED);
    writer->Write(response);
    return watched_ < 3 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "killed") : grpc::Status::OK;
  }

  grpc::Status ReadStreams(grpc::ServerContext*, const v1::ReadStreamsRequest* request,
                           grpc::ServerWriter<v1::ReadStreamsResponse>* writer) override {
    const int64_t from = request->from_size() == 0 ? 0 : request->from(0).offset();
    v1::ReadStreamsResponse response;
    response.set_attempt(1);
    response.set_offset(from);
    response.set_data(log.substr(static_cast<size_t>(from), 5));
    writer->Write(response);
    const bool all = from + 5 >= static_cast<int64_t>(log.size());
    return all ? grpc::Status::OK : grpc::Status(grpc::StatusCode::UNAVAILABLE, "killed");
  }

  grpc::Status SubmitJobs(grpc::ServerContext*, const v1::SubmitJobsRequest* request,
                          v1::SubmitJobsResponse* response) override {
    requests.push_back(request->request_id());
    if (requests.size() < 3) return {grpc::StatusCode::UNAVAILABLE, "killed"};
    response->add_job_ids("id");
    return grpc::Status::OK;
  }

  std::vector<std::string> requests;

 private:
  int watched_ = 0;
};

class ApiTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = rpc::Server::Start("127.0.0.1:0", {&scheduler_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  BreakingScheduler scheduler_;
  std::unique_ptr<rpc::Server> server_;
};

TEST_F(ApiTest, RefusesAnotherVersionsScheduler) {
  scheduler_.protocol = 7;
  const auto api = Api::Connect(server_->address());
  EXPECT_TRUE(absl::IsFailedPrecondition(api.status())) << api.status();
  EXPECT_NE(std::string(api.status().message()).find("9.9"), std::string::npos);
}

TEST_F(ApiTest, WatchGoesOnOverBrokenStreams) {
  const auto api = Api::Connect(server_->address());
  ASSERT_TRUE(api.ok()) << api.status();
  std::vector<v1::JobState> seen;
  EXPECT_TRUE((*api)
                  ->Watch("name", kGoOn,
                          [&](const auto& update) {
                            seen.push_back(update.job().state());
                            return true;
                          })
                  .ok());
  EXPECT_EQ(seen, (std::vector<v1::JobState>{v1::RUNNING, v1::RUNNING, v1::SUCCEEDED}));
}

TEST_F(ApiTest, WatchEndsWhenAsked) {
  const auto api = Api::Connect(server_->address());
  ASSERT_TRUE(api.ok()) << api.status();
  EXPECT_TRUE((*api)->Watch("name", kGoOn, [](const auto&) { return false; }).ok());
  const std::atomic<bool> stop{true};
  EXPECT_TRUE(absl::IsCancelled((*api)->Watch("name", stop, [](const auto&) { return true; })));
}

TEST_F(ApiTest, ReadLosesAndRepeatsNothing) {
  const auto api = Api::Connect(server_->address());
  ASSERT_TRUE(api.ok()) << api.status();
  std::string all;
  EXPECT_TRUE(
      (*api)
          ->Read("name", {v1::LOG, true}, kGoOn, [&](const auto& piece) { all += piece.data(); })
          .ok());
  EXPECT_EQ(all, scheduler_.log);
}

TEST_F(ApiTest, ASubmitIsRepeatedUnderTheSameRequestId) {
  const auto api = Api::Connect(server_->address());
  ASSERT_TRUE(api.ok()) << api.status();
  v1::SubmitJobsRequest request;
  request.set_request_id("r1");
  const auto response = (*api)->Submit(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(scheduler_.requests, (std::vector<std::string>{"r1", "r1", "r1"}));
}

TEST_F(ApiTest, AnUnknownJobIsNotFound) {
  const auto api = Api::Connect(server_->address());
  ASSERT_TRUE(api.ok()) << api.status();
  EXPECT_TRUE(absl::IsNotFound((*api)->GetJob("none").status()));
}

TEST(Api, WhatIsNoSchedulerIsSaid) {
  v1::Worker::Service other;
  auto server = rpc::Server::Start("127.0.0.1:0", {&other});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto api = Api::Connect((*server)->address());
  EXPECT_TRUE(absl::IsFailedPrecondition(api.status())) << api.status();
}

}  // namespace
}  // namespace baton::client
