// Durable submits per second of a running scheduler. Each client has a connection of its own and
// keeps so many calls in flight; a call carries `batch` jobs, which nobody could ever run.
//   submit_bench --address 127.0.0.1:7070 --clients 16 --in-flight 4 --seconds 3
//   submit_bench --address 127.0.0.1:7070 --probe
// Prints one JSON object: jobs, seconds, jobs_per_s, and the latency of a call in milliseconds;
// with
// --probe the number of jobs that the scheduler has.
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/strings/str_cat.h"
#include "baton/v1/client.grpc.pb.h"
#include "common/ids.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"

namespace baton {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kCallDeadlineMs = 60'000;
// Of a job that no worker of this scheduler has room for, so that it stays in the queue.
constexpr int kCpusMilli = 4'000'000;

struct Options {
  std::string address;
  int clients = 1;
  int in_flight = 1;
  int batch = 1;
  double seconds = 3;
  int64_t jobs = 0;  // 0: until the time is over
  bool alike = false;
  bool probe = false;
};

double Millis(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

class Load {
 public:
  explicit Load(const Options& options) : options_(options) {}

  absl::Status Run() {
    for (int i = 0; i < options_.clients; ++i) {
      rpc::ChannelOptions channel;
      channel.own_connection = true;
      auto dialled = rpc::Dial(options_.address, channel);
      if (!dialled.ok()) return dialled.status();
      stubs_.push_back(v1::Client::NewStub(*dialled));
      // The connections stand before the clock starts.
      grpc::ClientContext context;
      rpc::SetDeadline(context, kCallDeadlineMs);
      v1::GetServerResponse server;
      context.set_wait_for_ready(true);
      const grpc::Status status = stubs_.back()->GetServer(&context, {}, &server);
      if (!status.ok()) return rpc::FromGrpc(status);
      accepted_before_ = server.jobs();
    }
    if (options_.probe) return absl::OkStatus();
    begin_ = Clock::now();
    for (const auto& stub : stubs_) {
      for (int i = 0; i < options_.in_flight; ++i) Send(stub.get());
    }
    std::unique_lock<std::mutex> lock(mutex_);
    all_ended_.wait(lock, [this] { return open_ == 0; });
    return failure_;
  }

  void Print() {
    if (options_.probe) {
      std::printf("{\"jobs\":%lld}\n", static_cast<long long>(accepted_before_));
      return;
    }
    std::sort(millis_.begin(), millis_.end());
    const double seconds = Millis(end_ - begin_) / 1000;
    const auto at = [&](double share) {
      const auto last = static_cast<double>(millis_.size() - 1);
      return millis_.empty() ? 0 : millis_[static_cast<size_t>(share * last)];
    };
    std::printf(
        "{\"jobs\":%lld,\"seconds\":%.3f,\"jobs_per_s\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n",
        static_cast<long long>(accepted_), seconds, static_cast<double>(accepted_) / seconds,
        at(0.5), at(0.99));
  }

 private:
  struct Call {
    grpc::ClientContext context;
    v1::SubmitJobsRequest request;
    v1::SubmitJobsResponse response;
    Clock::time_point sent;
  };

  void Send(v1::Client::Stub* stub) {
    auto call = std::make_shared<Call>();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++open_;
    }
    call->request.set_request_id(RandomId());
    call->request.set_queue_anyway(true);
    call->request.mutable_submitter()->set_owner("bench");
    call->request.mutable_submitter()->set_folder("bench:/tmp/bench");
    for (int i = 0; i < options_.batch; ++i) Fill(call->request.add_jobs());
    rpc::SetDeadline(call->context, kCallDeadlineMs);
    call->sent = Clock::now();
    stub->async()->SubmitJobs(
        &call->context, &call->request, &call->response,
        [this, stub, call](const grpc::Status& status) { Ended(stub, *call, status); });
  }

  void Fill(v1::JobSpec* job) {
    job->set_name(absl::StrCat("bench-", ++named_));
    job->set_project("bench");
    job->set_priority(50);
    job->mutable_ranks()->set_min(1);
    job->mutable_ranks()->set_max(1);
    job->mutable_resources()->set_cpus_milli(kCpusMilli);
    job->set_retries(3);
    job->add_command("/bin/true");
    job->add_command("--learning-rate=0.05");
    // As the trials of a sweep: with --alike all jobs but for their names ask for the same.
    const int64_t trial = options_.alike ? 0 : named_.load();
    job->set_params_json(absl::StrCat("{\"lr\":0.05,\"trial\":", trial, "}"));
  }

  void Ended(v1::Client::Stub* stub, const Call& call, const grpc::Status& status) {
    const Clock::time_point now = Clock::now();
    bool more = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (status.ok()) {
        accepted_ += call.response.job_ids_size();
        millis_.push_back(Millis(now - call.sent));
        end_ = now;
      } else if (failure_.ok()) {
        failure_ = rpc::FromGrpc(status);
      }
      const bool over = options_.jobs > 0 ? named_.load() >= options_.jobs
                                          : Millis(now - begin_) >= options_.seconds * 1000;
      more = failure_.ok() && !over;
    }
    if (more) Send(stub);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--open_ == 0) all_ended_.notify_all();
  }

  const Options options_;
  std::vector<std::unique_ptr<v1::Client::Stub>> stubs_;
  std::atomic<int64_t> named_{0};
  int64_t accepted_before_ = 0;
  Clock::time_point begin_;

  std::mutex mutex_;
  std::condition_variable all_ended_;
  int open_ = 0;
  int64_t accepted_ = 0;
  Clock::time_point end_;
  std::vector<double> millis_;
  absl::Status failure_;
};

}  // namespace
}  // namespace baton

int main(int argc, char** argv) {
  baton::Options options;
  CLI::App app("Durable submits per second of a running scheduler.", "submit_bench");
  app.add_option("--address", options.address, "the scheduler, HOST:PORT")->required();
  app.add_option("--clients", options.clients, "connections")->check(CLI::Range(1, 1000));
  app.add_option("--in-flight", options.in_flight, "calls in flight of each")
      ->check(CLI::Range(1, 1000));
  app.add_option("--batch", options.batch, "jobs in a call")->check(CLI::Range(1, 100));
  app.add_option("--seconds", options.seconds, "how long")->check(CLI::Range(0.1, 600.0));
  app.add_option("--jobs", options.jobs, "until about so many, instead of --seconds");
  app.add_flag("--alike", options.alike, "jobs that differ in nothing but their names");
  app.add_flag("--probe", options.probe, "only ask how many jobs there are");
  CLI11_PARSE(app, argc, argv);
  baton::Load load(options);
  const absl::Status status = load.Run();
  if (!status.ok()) {
    std::fprintf(stderr, "submit_bench: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  load.Print();
  return 0;
}
