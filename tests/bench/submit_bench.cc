// Durable submits per second of a real scheduler process over gRPC, with the event log on, and the
// raw rate of the disk beside each figure: the two are measured in turns, second by second, since
// a shared disk changes from one minute to the next.
#include <fcntl.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "baton/v1/client.grpc.pb.h"
#include "common/ids.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "tests/fakes/scheduler_process.h"

namespace baton {
namespace {

using std::chrono::steady_clock;

double SecondsSince(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

// Appends of 512 bytes with fdatasync, one after the other.
double SyncsPerSecond(const std::string& folder, double seconds) {
  const std::string path = folder + "/raw_sync";
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const std::string block(512, 'x');
  int64_t syncs = 0;
  const auto start = steady_clock::now();
  while (SecondsSince(start) < seconds) {
    if (write(fd, block.data(), block.size()) < 0 || fdatasync(fd) != 0) break;
    ++syncs;
  }
  const double rate = static_cast<double>(syncs) / SecondsSince(start);
  close(fd);
  unlink(path.c_str());
  return rate;
}

// Of the process so far, user and system.
double CpuSeconds(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string field;
  // The name, second field, is in brackets and has no blanks here; 14 and 15 are the times.
  double ticks = 0;
  for (int i = 1; i <= 15 && stat >> field; ++i) {
    if (i >= 14) ticks += std::stod(field);
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

v1::SubmitJobsRequest MakeRequest(int jobs) {
  v1::SubmitJobsRequest request;
  request.set_request_id(RandomId());
  request.mutable_submitter()->set_owner("bench");
  request.mutable_submitter()->set_folder("host:/bench");
  request.set_queue_anyway(true);
  for (int i = 0; i < jobs; ++i) {
    v1::JobSpec* spec = request.add_jobs();
    spec->set_name("noop");
    spec->mutable_ranks()->set_min(1);
    spec->mutable_ranks()->set_max(1);
    spec->add_command("true");
  }
  return request;
}

// A client with its own connection and a number of calls in flight.
class BenchClient {
 public:
  BenchClient(const std::string& address, int batch)
      : stub_(v1::Client::NewStub(rpc::Dial(address, {.own_connection = true}).value())),
        batch_(batch) {}

  void Start(int in_flight) {
    for (int i = 0; i < in_flight; ++i) {
      {
        std::lock_guard<std::mutex> lock(mutex_);
        ++open_;
      }
      Send();
    }
  }
  // Returns once all calls have ended.
  void Stop() {
    stop_ = true;
    std::unique_lock<std::mutex> lock(mutex_);
    ended_.wait(lock, [this] { return open_ == 0; });
  }
  int64_t accepted() const { return accepted_; }
  int64_t refused() const { return refused_; }
  std::vector<double> latencies_ms() const { return latencies_ms_; }

 private:
  struct Call {
    grpc::ClientContext context;
    v1::SubmitJobsRequest request;
    v1::SubmitJobsResponse response;
    steady_clock::time_point start;
  };
  void Send() {
    auto* call = new Call;
    call->request = MakeRequest(batch_);
    rpc::SetDeadline(call->context, 30'000);
    call->start = steady_clock::now();
    stub_->async()->SubmitJobs(&call->context, &call->request, &call->response,
                               [this, call](const grpc::Status& status) {
                                 if (!status.ok()) Complain(status.error_message());
                                 Finish(status.ok(), SecondsSince(call->start) * 1e3);
                                 delete call;
                               });
  }
  // Once: the first refusal says it all.
  void Complain(const std::string& words) {
    if (!complained_.exchange(true)) std::fprintf(stderr, "refused: %s\n", words.c_str());
  }
  void Finish(bool ok, double latency_ms) {
    (ok ? accepted_ : refused_) += batch_;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      latencies_ms_.push_back(latency_ms);
      if (stop_) {
        if (--open_ == 0) ended_.notify_all();
        return;
      }
    }
    Send();
  }

  std::unique_ptr<v1::Client::Stub> stub_;
  const int batch_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> complained_{false};
  std::atomic<int64_t> accepted_{0};
  std::atomic<int64_t> refused_{0};
  std::mutex mutex_;
  std::condition_variable ended_;
  int open_ = 0;                      // guarded by mutex_
  std::vector<double> latencies_ms_;  // guarded by mutex_
};

struct Load {
  const char* name;
  int clients;
  int in_flight;
  int batch;
};

void RunLoad(const SchedulerProcess& scheduler, const std::string& folder, const Load& load,
             double seconds) {
  const double raw_before = SyncsPerSecond(folder, 1);
  std::vector<std::unique_ptr<BenchClient>> clients;
  for (int i = 0; i < load.clients; ++i) {
    clients.push_back(std::make_unique<BenchClient>(scheduler.address(), load.batch));
  }
  const double cpu_before_s = CpuSeconds(scheduler.pid());
  const auto start = steady_clock::now();
  for (auto& client : clients) client->Start(load.in_flight);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  for (auto& client : clients) client->Stop();
  const double took_s = SecondsSince(start);
  const double cpu_s = CpuSeconds(scheduler.pid()) - cpu_before_s;
  const double raw_after = SyncsPerSecond(folder, 1);
  int64_t accepted = 0;
  int64_t refused = 0;
  std::vector<double> latencies_ms;
  for (auto& client : clients) {
    accepted += client->accepted();
    refused += client->refused();
    const std::vector<double> own = client->latencies_ms();
    latencies_ms.insert(latencies_ms.end(), own.begin(), own.end());
  }
  std::sort(latencies_ms.begin(), latencies_ms.end());
  const auto percentile = [&](double share) {
    return latencies_ms.empty() ? 0.0
                                : latencies_ms[static_cast<size_t>(
                                      share * static_cast<double>(latencies_ms.size() - 1))];
  };
  std::printf("%-26s %8.0f jobs/s  p50 %7.2f ms  p99 %7.2f ms  scheduler %4.0f us CPU a job",
              load.name, static_cast<double>(accepted) / took_s, percentile(0.5), percentile(0.99),
              accepted == 0 ? 0.0 : cpu_s * 1e6 / static_cast<double>(accepted));
  std::printf("  refused %lld  raw syncs/s %.0f before, %.0f after\n",
              static_cast<long long>(refused), raw_before, raw_after);
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  CLI::App app("Durable submits per second, over gRPC and a real disk", "submit_bench");
  std::string program = "build/release/bin/baton-scheduler";
  std::string folder = "/tmp/submit_bench";
  double seconds = 5;
  app.add_option("--scheduler", program, "path of baton-scheduler")->capture_default_str();
  app.add_option("--folder", folder, "on the disk to measure; emptied")->capture_default_str();
  app.add_option("--seconds", seconds, "of each load")->capture_default_str();
  app.footer("Example:\n  build/release/tests/submit_bench --folder /var/tmp/bench --seconds 10");
  CLI11_PARSE(app, argc, argv);
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  SchedulerProcess scheduler(program, folder + "/data", {"--listen", "127.0.0.1:0"});
  if (scheduler.address().empty()) {
    std::fprintf(stderr, "the scheduler did not start, see %s/data.log\n", folder.c_str());
    return 6;
  }
  const Load loads[] = {{"1 client", 1, 1, 1},
                        {"16 clients, 1 in flight", 16, 1, 1},
                        {"16 clients, 4 in flight", 16, 4, 1},
                        {"1 client, batches of 64", 1, 1, 64},
                        {"16 clients, batches of 64", 16, 1, 64}};
  for (const Load& load : loads) RunLoad(scheduler, folder, load, seconds);
  scheduler.Kill(SIGTERM);
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace baton

int main(int argc, char** argv) { return baton::Main(argc, argv); }
