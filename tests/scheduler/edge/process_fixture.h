// The real program with clients and a worker made of gRPC calls, which do only what the test says.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "baton/v1/client.grpc.pb.h"
#include "baton/v1/worker.grpc.pb.h"
#include "common/ids.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "scheduler/edge/parts.h"
#include "tests/fakes/scheduler_process.h"

namespace baton::edge {

inline constexpr int64_t kDeadlineMs = 30'000;

inline v1::SubmitJobsRequest Submission(const std::string& request_id, int jobs = 1) {
  v1::SubmitJobsRequest request;
  request.set_request_id(request_id);
  request.mutable_submitter()->set_owner("ada");
  request.mutable_submitter()->set_folder("host:/home/ada");
  request.set_queue_anyway(true);
  for (int i = 0; i < jobs; ++i) {
    v1::JobSpec* spec = request.add_jobs();
    spec->set_name("job-" + std::to_string(i));
    spec->mutable_ranks()->set_min(1);
    spec->mutable_ranks()->set_max(1);
    spec->add_command("true");
  }
  return request;
}

class Caller {
 public:
  explicit Caller(const std::string& address)
      : stub_(v1::Client::NewStub(rpc::Dial(address, {.own_connection = true}).value())) {}

  absl::StatusOr<v1::SubmitJobsResponse> Submit(const v1::SubmitJobsRequest& request) {
    return Call<v1::SubmitJobsResponse>([&](auto* context, auto* response) {
      return stub_->SubmitJobs(context, request, response);
    });
  }
  absl::StatusOr<v1::Job> Get(const std::string& job) {
    v1::GetJobRequest request;
    request.set_job(job);
    auto response = Call<v1::GetJobResponse>(
        [&](auto* context, auto* to) { return stub_->GetJob(context, request, to); });
    if (!response.ok()) return response.status();
    return response->job();
  }
  absl::StatusOr<v1::GetServerResponse> Server() {
    return Call<v1::GetServerResponse>(
        [&](auto* context, auto* to) { return stub_->GetServer(context, {}, to); });
  }
  absl::Status Cancel(const std::string& job) {
    v1::CancelJobRequest request;
    request.set_job(job);
    return Call<v1::CancelJobResponse>(
               [&](auto* context, auto* to) { return stub_->CancelJob(context, request, to); })
        .status();
  }
  // Waits until the job is so; by watching it, not by asking again and again.
  v1::Job Await(const std::string& job, const std::function<bool(const v1::Job&)>& is_so) {
    grpc::ClientContext context;
    rpc::SetDeadline(context, kDeadlineMs);
    v1::WatchJobRequest request;
    request.set_job(job);
    auto reader = stub_->WatchJob(&context, request);
    v1::WatchJobResponse seen;
    while (reader->Read(&seen)) {
      if (is_so(seen.job())) {
        context.TryCancel();
        return seen.job();
      }
    }
    ADD_FAILURE() << "the job never came to it: " << seen.job().ShortDebugString() << " "
                  << reader->Finish().error_message();
    return seen.job();
  }
  absl::StatusOr<std::string> ReadLog(const std::string& job, bool follow) {
    grpc::ClientContext context;
    rpc::SetDeadline(context, kDeadlineMs);
    v1::ReadStreamsRequest request;
    request.set_job(job);
    request.set_kind(v1::LOG);
    request.set_follow(follow);
    auto reader = stub_->ReadStreams(&context, request);
    std::string bytes;
    v1::ReadStreamsResponse piece;
    while (reader->Read(&piece)) bytes += piece.data();
    const absl::Status status = rpc::FromGrpc(reader->Finish());
    if (!status.ok()) return status;
    return bytes;
  }
  absl::StatusOr<int64_t> ExportedBytes() {
    grpc::ClientContext context;
    rpc::SetDeadline(context, kDeadlineMs);
    auto reader = stub_->ExportLog(&context, {});
    int64_t bytes = 0;
    v1::ExportLogResponse piece;
    while (reader->Read(&piece)) bytes += static_cast<int64_t>(piece.records().size());
    const absl::Status status = rpc::FromGrpc(reader->Finish());
    if (!status.ok()) return status;
    return bytes;
  }

 private:
  template <typename Response, typename Function>
  absl::StatusOr<Response> Call(const Function& function) {
    grpc::ClientContext context;
    rpc::SetDeadline(context, kDeadlineMs);
    Response response;
    const absl::Status status = rpc::FromGrpc(function(&context, &response));
    if (!status.ok()) return status;
    return response;
  }
  std::unique_ptr<v1::Client::Stub> stub_;
};

// A worker that does only what the test says.
class FakeWorker {
 public:
  explicit FakeWorker(const std::string& node_id = RandomId()) {
    hello_.set_node_id(node_id);
    hello_.set_incarnation(RandomId());
    hello_.set_name("fake");
    hello_.set_protocol_min(kProtocolMin);
    hello_.set_protocol_max(kProtocolMax);
    hello_.set_cpus_milli(4'000);
    hello_.set_memory_bytes(int64_t{8} << 30);
    hello_.add_data_addresses("127.0.0.1");
    hello_.set_host_id("host");
    hello_.set_device_kind("cpu");
    hello_.set_price_usd_micro_per_hour(1'000'000);
    hello_.set_on_demand_usd_micro_per_hour(3'000'000);
  }
  ~FakeWorker() { Hangup(); }

  v1::Hello& hello() { return hello_; }

  void Connect(const std::string& address) {
    Hangup();
    channel_ = rpc::Dial(address, {.own_connection = true}).value();
    stub_ = v1::Worker::NewStub(channel_);
    context_ = std::make_unique<grpc::ClientContext>();
    rpc::SetDeadline(*context_, kDeadlineMs);
    stream_ = stub_->Session(context_.get());
    v1::WorkerMessage message;
    *message.mutable_hello() = hello_;
    Send(message);
  }
  void Hangup() {
    if (stream_ == nullptr) return;
    context_->TryCancel();
    v1::SchedulerMessage rest;
    while (stream_->Read(&rest)) {
    }
    (void)stream_->Finish();
    stream_.reset();
    stub_.reset();
    channel_.reset();
  }
  void Send(const v1::WorkerMessage& message) {
    ASSERT_NE(stream_, nullptr);
    EXPECT_TRUE(stream_->Write(message));
  }
  void Report(const v1::TaskId& task, v1::TaskReport::Stage stage, int exit_code = 0) {
    v1::WorkerMessage message;
    *message.mutable_task() = MakeReport(task, stage, exit_code);
    Send(message);
  }
  static v1::TaskReport MakeReport(const v1::TaskId& task, v1::TaskReport::Stage stage,
                                   int exit_code = 0) {
    v1::TaskReport report;
    *report.mutable_task() = task;
    report.set_stage(stage);
    report.set_exit_code(exit_code);
    report.set_address("127.0.0.1");
    report.set_port(4'000);
    return report;
  }

  // Reads on until a message is so; what comes before it is passed over.
  v1::SchedulerMessage Await(const std::function<bool(const v1::SchedulerMessage&)>& is_so) {
    if (stream_ == nullptr) return {};
    v1::SchedulerMessage message;
    while (stream_->Read(&message)) {
      if (is_so(message)) return message;
      passed_over_ += message.ShortDebugString() + "\n";
    }
    ADD_FAILURE() << "the stream ended after " << passed_over_ << stream_->Finish().error_message();
    stream_.reset();
    return {};
  }
  v1::WantedTask AwaitTask(v1::WantedTask::Goal goal) {
    const v1::SchedulerMessage message = Await([goal](const v1::SchedulerMessage& m) {
      return m.has_wanted() && m.wanted().tasks_size() == 1 && m.wanted().tasks(0).goal() == goal;
    });
    return message.wanted().tasks_size() == 1 ? message.wanted().tasks(0) : v1::WantedTask();
  }
  void AwaitAck(v1::TaskReport::Stage stage) {
    Await([stage](const v1::SchedulerMessage& m) {
      return m.has_report_ack() && m.report_ack().stage() == stage;
    });
  }
  void SendLog(const v1::TaskId& task, int64_t offset, const std::string& data) {
    v1::WorkerMessage message;
    *message.mutable_chunk()->mutable_task() = task;
    message.mutable_chunk()->set_offset(offset);
    message.mutable_chunk()->set_data(data);
    Send(message);
  }
  int64_t AwaitLogAck() {
    return Await([](const v1::SchedulerMessage& m) { return m.has_stream_ack(); })
        .stream_ack()
        .offset();
  }

 private:
  v1::Hello hello_;
  std::string passed_over_;  // for whoever reads a failure
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Worker::Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::SchedulerMessage>> stream_;
};

class SchedulerProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/scheduler." + std::to_string(::getpid());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    Start();
  }
  void TearDown() override {
    process_.reset();
    std::filesystem::remove_all(folder_);
    std::filesystem::remove(folder_ + ".log");
  }
  void Start(const std::string& listen = "127.0.0.1:0") {
    process_ = std::make_unique<SchedulerProcess>(
        BATON_SCHEDULER_PROGRAM, folder_,
        std::vector<std::string>{"--listen", listen, "--lease-ms", "6000"});
    ASSERT_NE(process_->address(), "") << ReadFile(folder_ + ".log").value_or("no log");
  }
  // Dies at once, and comes back on the same port.
  void KillAndRestart() {
    const std::string address = process_->address();
    EXPECT_EQ(process_->Kill(SIGKILL), -SIGKILL);
    Start(address);
  }
  std::string address() const { return process_->address(); }

  // A job with its one task told to run.
  v1::WantedTask StartOne(FakeWorker& worker, std::string* job) {
    worker.Connect(address());
    Caller caller(address());
    *job = caller.Submit(Submission(RandomId())).value().job_ids(0);
    const v1::WantedTask run = worker.AwaitTask(v1::WantedTask::RUN);
    EXPECT_EQ(run.spec().command_size(), 1) << caller.Get(*job)->reason();
    worker.Report(run.task(), v1::TaskReport::RUNNING);
    worker.AwaitAck(v1::TaskReport::RUNNING);
    return run;
  }

  std::string folder_;
  std::unique_ptr<SchedulerProcess> process_;
};

}  // namespace baton::edge
