// The real program over a real disk, with a worker and clients made of gRPC calls: what was
// acknowledged survives kill -9, and what is not to be believed is not believed.
#include "tests/fakes/scheduler_process.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <random>
#include <thread>

#include "baton/v1/client.grpc.pb.h"
#include "baton/v1/worker.grpc.pb.h"
#include "common/ids.h"
#include "common/random.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "scheduler/edge/parts.h"
#include "tests/fakes/small_disk.h"

namespace baton::edge {
namespace {

constexpr int64_t kDeadlineMs = 30'000;

v1::SubmitJobsRequest Submission(const std::string& request_id, int jobs = 1) {
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

TEST_F(SchedulerProcessTest, WhatWasAcknowledgedSurvivesKillsUnderLoad) {
  const uint64_t seed = std::random_device()();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  Random random(seed);
  std::mutex mutex;
  std::map<std::string, std::string> acknowledged;  // id by request
  std::vector<std::string> open;                    // requests whose answer never came
  for (int round = 0; round < 3; ++round) {
    std::atomic<bool> stop{false};
    std::atomic<int> answers{0};
    std::vector<std::thread> clients;
    for (int c = 0; c < 4; ++c) {
      clients.emplace_back([&, at = address()] {
        Caller caller(at);
        while (!stop) {
          const std::string id = RandomId();
          const auto response = caller.Submit(Submission(id));
          std::lock_guard<std::mutex> lock(mutex);
          if (response.ok()) {
            acknowledged[id] = response->job_ids(0);
            ++answers;
          } else {
            open.push_back(id);
            break;  // it was killed
          }
        }
      });
    }
    const int kill_after = static_cast<int>(random.Between(20, 200));
    while (answers < kill_after) std::this_thread::yield();
    KillAndRestart();
    stop = true;
    for (std::thread& client : clients) client.join();
  }
  Caller caller(address());
  ASSERT_FALSE(acknowledged.empty());
  for (const auto& [request, id] : acknowledged) {
    const auto job = caller.Get(id);
    ASSERT_TRUE(job.ok()) << id << ": " << job.status();
  }
  // Repeated over the kill, each request has made its jobs once: at most those whose answer was
  // lost are more than were acknowledged.
  const int64_t jobs = caller.Server()->jobs();
  for (const auto& [request, id] : acknowledged) {
    EXPECT_EQ(caller.Submit(Submission(request))->job_ids(0), id);
  }
  EXPECT_EQ(caller.Server()->jobs(), jobs);
  EXPECT_LE(jobs, static_cast<int64_t>(acknowledged.size() + open.size()));
  for (const std::string& request : open) EXPECT_TRUE(caller.Submit(Submission(request)).ok());
  EXPECT_EQ(caller.Server()->jobs(), static_cast<int64_t>(acknowledged.size() + open.size()));
}

TEST_F(SchedulerProcessTest, TheSameRequestIdWithAnotherRequestIsRefused) {
  const std::string id = RandomId();
  ASSERT_TRUE(Caller(address()).Submit(Submission(id)).ok());
  KillAndRestart();
  Caller caller(address());
  EXPECT_EQ(caller.Submit(Submission(id, 2)).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(caller.Submit(Submission(id)).ok());
}

TEST_F(SchedulerProcessTest, ARunningTaskGoesOnOverAKillOfTheScheduler) {
  FakeWorker worker;
  std::string job;
  const v1::WantedTask run = StartOne(worker, &job);
  const uint64_t term = Caller(address()).Server()->term();
  KillAndRestart();
  EXPECT_EQ(Caller(address()).Server()->term(), term + 1);
  *worker.hello().add_tasks() = FakeWorker::MakeReport(run.task(), v1::TaskReport::RUNNING);
  worker.hello().set_term_seen(term);
  worker.Connect(address());
  // The same attempt under the same token is wanted, under the new term.
  const auto wanted = worker.Await([](const v1::SchedulerMessage& m) { return m.has_wanted(); });
  EXPECT_EQ(wanted.wanted().term(), term + 1);
  ASSERT_EQ(wanted.wanted().tasks_size(), 1);
  EXPECT_EQ(wanted.wanted().tasks(0).task().token(), run.task().token());
  EXPECT_EQ(wanted.wanted().tasks(0).goal(), v1::WantedTask::RUN);
  worker.Report(run.task(), v1::TaskReport::EXITED);
  worker.AwaitAck(v1::TaskReport::EXITED);
  const v1::Job ended =
      Caller(address()).Await(job, [](const v1::Job& j) { return j.state() == v1::SUCCEEDED; });
  EXPECT_EQ(ended.attempts_size(), 1);
  EXPECT_EQ(ended.preemptions(), 0);
}

TEST_F(SchedulerProcessTest, LogOffsetsSurviveAndBytesAreStoredOnce) {
  FakeWorker worker;
  std::string job;
  const v1::WantedTask run = StartOne(worker, &job);
  worker.SendLog(run.task(), 0, "hello ");
  EXPECT_EQ(worker.AwaitLogAck(), 6);
  KillAndRestart();
  *worker.hello().add_tasks() = FakeWorker::MakeReport(run.task(), v1::TaskReport::RUNNING);
  worker.Connect(address());
  worker.SendLog(run.task(), 0, "hello world\n");
  EXPECT_EQ(worker.AwaitLogAck(), 12);
  v1::WorkerMessage exited;
  *exited.mutable_task() = FakeWorker::MakeReport(run.task(), v1::TaskReport::EXITED);
  exited.mutable_task()->mutable_ends()->set_log_bytes(16);
  worker.Send(exited);
  worker.AwaitAck(v1::TaskReport::EXITED);
  // A follower waits for what the worker said is still to come.
  absl::StatusOr<std::string> followed = std::string();
  std::thread follower([&] { followed = Caller(address()).ReadLog(job, /*follow=*/true); });
  worker.SendLog(run.task(), 12, "end\n");
  EXPECT_EQ(worker.AwaitLogAck(), 16);
  follower.join();
  ASSERT_TRUE(followed.ok()) << followed.status();
  EXPECT_EQ(*followed, "hello world\nend\n");
  EXPECT_EQ(Caller(address()).ReadLog(job, /*follow=*/false).value(), "hello world\nend\n");
}

TEST_F(SchedulerProcessTest, ADeadWorkerIsNoticedAtOnceAndItsLateWordsAreRefused) {
  FakeWorker first;
  std::string job;
  const v1::WantedTask run = StartOne(first, &job);
  const auto died = std::chrono::steady_clock::now();
  first.Hangup();  // and does not come back within the grace
  Caller caller(address());
  caller.Await(job, [](const v1::Job& j) {
    return j.attempts_size() > 0 && j.attempts(0).end_unix_ms() != 0;
  });
  EXPECT_LT(std::chrono::steady_clock::now() - died, std::chrono::milliseconds(3'000))
      << "the lease is 6 s: a closed connection is noticed before";
  FakeWorker second;
  second.Connect(address());
  const v1::WantedTask again = second.AwaitTask(v1::WantedTask::RUN);
  EXPECT_GT(again.task().token(), run.task().token());
  // The first one comes back and says that its task has succeeded.
  first.Connect(address());
  first.Report(run.task(), v1::TaskReport::EXITED, 0);
  first.AwaitAck(v1::TaskReport::EXITED);
  const v1::Job now = caller.Get(job).value();
  EXPECT_NE(now.state(), v1::SUCCEEDED);
  ASSERT_EQ(now.attempts_size(), 2);
  EXPECT_EQ(now.attempts(1).end_unix_ms(), 0);
  EXPECT_EQ(now.attempts(0).end_cause(), "node-lost");
}

TEST_F(SchedulerProcessTest, AWorkerThatReconnectsWithinTheGraceKeepsItsTask) {
  FakeWorker worker;
  std::string job;
  const v1::WantedTask run = StartOne(worker, &job);
  *worker.hello().add_tasks() = FakeWorker::MakeReport(run.task(), v1::TaskReport::RUNNING);
  worker.Connect(address());  // at once, as a worker does whose line broke
  const auto wanted = worker.Await([](const v1::SchedulerMessage& m) { return m.has_wanted(); });
  ASSERT_EQ(wanted.wanted().tasks_size(), 1);
  EXPECT_EQ(wanted.wanted().tasks(0).task().token(), run.task().token());
  EXPECT_EQ(Caller(address()).Get(job)->attempts_size(), 1);
}

TEST_F(SchedulerProcessTest, RefusesOtherProtocolsTermsAndClustersInWords) {
  const auto refused = [&](const std::function<void(v1::Hello&)>& change) {
    FakeWorker worker;
    change(worker.hello());
    worker.Connect(address());
    const auto words = worker.Await([](const v1::SchedulerMessage& m) { return m.has_refused(); });
    return words.refused().reason();
  };
  EXPECT_NE(refused([](v1::Hello& h) {
              h.set_protocol_min(0);
              h.set_protocol_max(0);
            }).find("protocol"),
            std::string::npos);
  EXPECT_NE(refused([](v1::Hello& h) { h.set_protocol_min(kProtocolMax + 1); }).find("protocol"),
            std::string::npos);
  EXPECT_NE(refused([](v1::Hello& h) { h.set_term_seen(1'000); }).find("term 1000"),
            std::string::npos);
  EXPECT_NE(refused([](v1::Hello& h) { h.set_cluster_id("another"); }).find("another"),
            std::string::npos);
  EXPECT_NE(refused([](v1::Hello& h) { h.set_node_id("x"); }).find("node_id"), std::string::npos);
}

TEST_F(SchedulerProcessTest, ACheckpointThatIsNotInTheStoreIsRefused) {
  FakeWorker worker;
  std::string job;
  const v1::WantedTask run = StartOne(worker, &job);
  v1::WorkerMessage message;
  v1::CheckpointReport* report = message.mutable_checkpoint();
  *report->mutable_task() = run.task();
  report->set_name("step-1");
  report->set_step(1);
  report->set_manifest_digest(std::string(64, 'a'));
  worker.Send(message);
  const auto ack =
      worker.Await([](const v1::SchedulerMessage& m) { return m.has_checkpoint_ack(); });
  EXPECT_FALSE(ack.checkpoint_ack().committed());
  EXPECT_NE(ack.checkpoint_ack().refusal(), "");
  EXPECT_EQ(Caller(address()).Get(job)->checkpoints_size(), 0);
}

TEST_F(SchedulerProcessTest, AnswersInWordsAndEndsInOrder) {
  Caller caller(address());
  EXPECT_EQ(caller.Get("nothing").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(caller.Cancel("nothing").code(), absl::StatusCode::kNotFound);
  v1::SubmitJobsRequest native = Submission(RandomId());
  native.mutable_jobs(0)->set_package_digest(std::string(64, 'b'));
  const auto missing = caller.Submit(native);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(missing.status().message()).find("jobs[0].package_digest"),
            std::string::npos);
  const std::string job = caller.Submit(Submission(RandomId())).value().job_ids(0);
  EXPECT_TRUE(caller.Cancel(job).ok());
  EXPECT_EQ(caller.Get(job)->state(), v1::CANCELLED);
  EXPECT_GT(caller.ExportedBytes().value(), 0);
  EXPECT_EQ(process_->Kill(SIGTERM), 0);
  Start();
  EXPECT_EQ(Caller(address()).Get(job)->state(), v1::CANCELLED);
}

TEST_F(SchedulerProcessTest, OnAFullDiskSubmitsAreRefusedAndCancelsGoThrough) {
  process_.reset();
  const SmallDisk disk(int64_t{400} << 20);
  ASSERT_TRUE(disk.mounted());
  process_ =
      std::make_unique<SchedulerProcess>(BATON_SCHEDULER_PROGRAM, disk.folder() + "/data",
                                         std::vector<std::string>{"--listen", "127.0.0.1:0"});
  ASSERT_NE(address(), "");
  Caller caller(address());
  const std::string job = caller.Submit(Submission(RandomId())).value().job_ids(0);
  disk.Fill();
  const auto refused = caller.Submit(Submission(RandomId()));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(refused.status().message()).find("disk"), std::string::npos);
  const absl::Status cancelled = caller.Cancel(job);
  EXPECT_TRUE(cancelled.ok()) << cancelled;
  // Killed on the full disk, it comes back with what it had answered.
  const std::string at = address();
  process_->Kill(SIGKILL);
  process_ = std::make_unique<SchedulerProcess>(BATON_SCHEDULER_PROGRAM, disk.folder() + "/data",
                                                std::vector<std::string>{"--listen", at});
  ASSERT_NE(address(), "") << ReadFile(disk.folder() + "/data.log").value_or("no log");
  EXPECT_EQ(Caller(address()).Get(job)->state(), v1::CANCELLED);
  disk.Empty();
  EXPECT_TRUE(Caller(address()).Submit(Submission(RandomId())).ok());
  process_.reset();
}

TEST_F(SchedulerProcessTest, ASecondOneOnTheSameFolderIsRefused) {
  const std::string before = ReadFile(folder_ + "/address").value();
  const std::string log = folder_ + ".second";
  const pid_t pid = fork();
  if (pid == 0) {
    const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(fd, STDERR_FILENO);
    execl(BATON_SCHEDULER_PROGRAM, BATON_SCHEDULER_PROGRAM, "--data-dir", folder_.c_str(),
          "--listen", "127.0.0.1:0", nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 6);
  EXPECT_NE(ReadFile(log)->find(std::to_string(process_->pid())), std::string::npos);
  EXPECT_EQ(ReadFile(folder_ + "/address").value(), before);
  EXPECT_TRUE(Caller(address()).Server().ok());
  std::filesystem::remove(log);
}

}  // namespace
}  // namespace baton::edge
