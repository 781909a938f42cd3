// Latency and throughput of small jobs on a running scheduler with workers.
//   task_bench first --address A --stamp build/release/tests/task_stamp --folder /tmp/x --rounds 30
//     milliseconds from sending a submit to the first instruction of its task, one job at a time
//   task_bench noop --address A --jobs 1000
//     jobs per second from the first submit until the last job has succeeded
//   task_bench drain --address A --jobs 20000 --seconds 20
//     jobs per second that leave a queue of so many, while it is deep
// Prints one JSON object.
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "baton/v1/client.grpc.pb.h"
#include "common/ids.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "common/status.h"

namespace baton {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int64_t kCallDeadlineMs = 60'000;
constexpr int kJobsPerSubmit = 100;
constexpr auto kIdle = milliseconds(150);  // between two jobs, so that each finds an idle worker
constexpr auto kLimit = std::chrono::seconds(120);

struct Options {
  std::string address;
  std::string stamp;
  std::string folder;
  int rounds = 30;
  int jobs = 1000;
  double seconds = 20;
};

double SecondsSince(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

int64_t UnixNanos() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

class Bench {
 public:
  static absl::StatusOr<std::unique_ptr<Bench>> Connect(const Options& options) {
    auto bench = std::unique_ptr<Bench>(new Bench(options));
    BATON_ASSIGN_OR_RETURN(auto channel, rpc::Dial(options.address));
    bench->stub_ = v1::Client::NewStub(channel);
    BATON_RETURN_IF_ERROR(bench->Server().status());
    return bench;
  }

  absl::Status First() {
    std::vector<double> millis;
    for (int i = 0; i < options_.rounds; ++i) {
      std::this_thread::sleep_for(kIdle);
      const std::string file = absl::StrCat(options_.folder, "/stamp-", i);
      std::remove(file.c_str());
      const int64_t sent_ns = UnixNanos();
      BATON_RETURN_IF_ERROR(Submit({options_.stamp, file}, 1));
      BATON_ASSIGN_OR_RETURN(const int64_t ran_ns, WaitForStamp(file));
      millis.push_back(static_cast<double>(ran_ns - sent_ns) / 1e6);
    }
    std::sort(millis.begin(), millis.end());
    std::printf("{\"rounds\":%zu,\"p50_ms\":%.3f,\"min_ms\":%.3f,\"max_ms\":%.3f}\n", millis.size(),
                millis[millis.size() / 2], millis.front(), millis.back());
    return absl::OkStatus();
  }

  absl::Status Noop() {
    const auto begin = SteadyClock::now();
    BATON_RETURN_IF_ERROR(Submit({"/bin/true"}, options_.jobs));
    const double submitted_s = SecondsSince(begin);
    BATON_RETURN_IF_ERROR(WaitForQueue(0, begin));
    while (true) {
      BATON_ASSIGN_OR_RETURN(const bool all, AllSucceeded());
      if (all) break;
      if (SteadyClock::now() - begin > kLimit) return TooLong();
      std::this_thread::sleep_for(milliseconds(20));
    }
    const double seconds = SecondsSince(begin);
    std::printf("{\"jobs\":%d,\"seconds\":%.3f,\"submit_s\":%.3f,\"jobs_per_s\":%.1f}\n",
                options_.jobs, seconds, submitted_s, options_.jobs / seconds);
    return absl::OkStatus();
  }

  absl::Status Drain() {
    BATON_RETURN_IF_ERROR(Submit({"/bin/true"}, options_.jobs));
    BATON_ASSIGN_OR_RETURN(const v1::GetServerResponse before, Server());
    const auto begin = SteadyClock::now();
    std::this_thread::sleep_for(std::chrono::duration<double>(options_.seconds));
    BATON_ASSIGN_OR_RETURN(const v1::GetServerResponse after, Server());
    const auto left = static_cast<double>(before.queued() - after.queued());
    std::printf("{\"queued_before\":%lld,\"queued_after\":%lld,\"jobs_per_s\":%.1f}\n",
                static_cast<long long>(before.queued()), static_cast<long long>(after.queued()),
                left / SecondsSince(begin));
    return absl::OkStatus();
  }

 private:
  explicit Bench(const Options& options) : options_(options) {}

  static absl::Status TooLong() {
    return absl::DeadlineExceededError("the jobs have not all succeeded after two minutes");
  }

  absl::StatusOr<v1::GetServerResponse> Server() {
    grpc::ClientContext context;
    rpc::SetDeadline(context, kCallDeadlineMs);
    v1::GetServerResponse response;
    BATON_RETURN_IF_ERROR(rpc::FromGrpc(stub_->GetServer(&context, {}, &response)));
    return response;
  }

  absl::Status Submit(const std::vector<std::string>& command, int jobs) {
    for (int sent = 0; sent < jobs; sent += kJobsPerSubmit) {
      v1::SubmitJobsRequest request;
      request.set_request_id(RandomId());
      request.mutable_submitter()->set_owner("bench");
      for (int i = sent; i < std::min(jobs, sent + kJobsPerSubmit); ++i) {
        v1::JobSpec* job = request.add_jobs();
        job->set_name(absl::StrCat("noop-", i));
        job->mutable_ranks()->set_min(1);
        job->mutable_ranks()->set_max(1);
        for (const std::string& word : command) job->add_command(word);
      }
      grpc::ClientContext context;
      rpc::SetDeadline(context, kCallDeadlineMs);
      v1::SubmitJobsResponse response;
      BATON_RETURN_IF_ERROR(rpc::FromGrpc(stub_->SubmitJobs(&context, request, &response)));
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<int64_t> WaitForStamp(const std::string& file) {
    const auto begin = SteadyClock::now();
    while (SteadyClock::now() - begin < kLimit) {
      std::ifstream stream(file);
      int64_t ran_ns = 0;
      std::string line;
      // The line's end says that the number is whole.
      if (std::getline(stream, line) && !stream.eof()) {
        ran_ns = std::stoll(line);
        return ran_ns;
      }
      std::this_thread::sleep_for(milliseconds(2));
    }
    return TooLong();
  }

  absl::Status WaitForQueue(int64_t queued, SteadyClock::time_point begin) {
    while (SteadyClock::now() - begin < kLimit) {
      BATON_ASSIGN_OR_RETURN(const v1::GetServerResponse server, Server());
      if (server.queued() <= queued) return absl::OkStatus();
      std::this_thread::sleep_for(milliseconds(20));
    }
    return TooLong();
  }

  absl::StatusOr<bool> AllSucceeded() {
    v1::ListJobsRequest request;
    request.set_page_size(1000);
    int succeeded = 0;
    do {
      grpc::ClientContext context;
      rpc::SetDeadline(context, kCallDeadlineMs);
      v1::ListJobsResponse response;
      BATON_RETURN_IF_ERROR(rpc::FromGrpc(stub_->ListJobs(&context, request, &response)));
      for (const v1::Job& job : response.jobs()) succeeded += job.state() == v1::SUCCEEDED;
      request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    return succeeded >= options_.jobs;
  }

  const Options options_;
  std::unique_ptr<v1::Client::Stub> stub_;
};

}  // namespace
}  // namespace baton

int main(int argc, char** argv) {
  baton::Options options;
  CLI::App app("Latency and throughput of small jobs.", "task_bench");
  app.require_subcommand(1);
  app.add_option("--address", options.address, "the scheduler, HOST:PORT")->required();
  app.fallthrough();
  CLI::App* first = app.add_subcommand("first", "submit to first instruction");
  first->add_option("--stamp", options.stamp, "the program task_stamp")->required();
  first->add_option("--folder", options.folder, "that every task may write to")->required();
  first->add_option("--rounds", options.rounds, "jobs, one after the other")
      ->check(CLI::Range(1, 10000));
  CLI::App* noop = app.add_subcommand("noop", "no-op jobs to the last one's end");
  noop->add_option("--jobs", options.jobs, "how many")->check(CLI::Range(1, 100000));
  CLI::App* drain = app.add_subcommand("drain", "no-op jobs out of a deep queue");
  drain->add_option("--jobs", options.jobs, "how many")->check(CLI::Range(1, 1000000));
  drain->add_option("--seconds", options.seconds, "how long")->check(CLI::Range(0.1, 600.0));
  CLI11_PARSE(app, argc, argv);
  const auto bench = baton::Bench::Connect(options);
  absl::Status status = bench.status();
  if (status.ok()) {
    status = *first ? (*bench)->First() : *noop ? (*bench)->Noop() : (*bench)->Drain();
  }
  if (status.ok()) return 0;
  std::fprintf(stderr, "task_bench: %s\n", std::string(status.message()).c_str());
  return 1;
}
