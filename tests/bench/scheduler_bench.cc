// The scheduler with many jobs: how long a restart takes and how much memory it needs, and how long
// one event takes with ten thousand nodes. Run by hand:
//   build/release/tests/scheduler_bench [--benchmark_filter=Restart]
#include <benchmark/benchmark.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/ids.h"
#include "common/random.h"
#include "scheduler/core/step.h"
#include "scheduler/store/commit.h"
#include "scheduler/store/recover.h"
#include "scheduler/store/rocksdb_store.h"

namespace baton {
namespace {

using Seconds = std::chrono::duration<double>;

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return Seconds(std::chrono::steady_clock::now() - begin).count();
}

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << status << "\n";
  std::exit(1);
}

// Resident memory of this process.
double ResidentMiB() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0;
  int64_t resident = 0;
  statm >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

struct Measured {
  double seconds = 0;
  double mib = 0;
  double jobs = 0;
};

// Runs it in a process of its own, whose memory is then only its own.
Measured InChild(const std::function<Measured()>& measure) {
  int ends[2];
  if (pipe(ends) != 0) std::exit(1);
  const pid_t child = fork();
  if (child == 0) {
    const Measured measured = measure();
    const bool told = write(ends[1], &measured, sizeof(measured)) == sizeof(measured);
    _exit(told ? 0 : 1);
  }
  close(ends[1]);
  Measured measured;
  const bool told = read(ends[0], &measured, sizeof(measured)) == sizeof(measured);
  close(ends[0]);
  waitpid(child, nullptr, 0);
  if (!told) std::exit(1);
  return measured;
}

// A few specs of realistic size, as a sweep or a class of students would submit.
std::vector<std::shared_ptr<const state::JobSpec>> Specs(size_t count) {
  std::vector<std::shared_ptr<const state::JobSpec>> specs;
  for (size_t i = 0; i < count; ++i) {
    state::JobSpec spec;
    spec.project = absl::StrCat("project-", i % 7);
    spec.priority = static_cast<int32_t>(i % 3);
    spec.ranks_min = 1;
    spec.ranks_max = 1 + static_cast<int32_t>(i % 4);
    spec.shards = 8;
    spec.resources.cpus_milli = 1000 + static_cast<int32_t>(i % 3) * 500;
    spec.resources.memory_bytes = (1 + static_cast<int64_t>(i % 5)) << 30;
    spec.wire = absl::StrCat("spec ", i, std::string(1500, 'w'));
    specs.push_back(std::make_shared<const state::JobSpec>(std::move(spec)));
  }
  return specs;
}

state::JobsSubmitted Submit(uint64_t number, size_t jobs,
                            const std::vector<std::shared_ptr<const state::JobSpec>>& specs) {
  static const auto submitter = std::make_shared<const state::Submitter>(
      state::Submitter{"ada", "laptop:/home/ada/experiments"});
  state::JobsSubmitted event;
  event.request_id = absl::StrFormat("%032x", number);
  event.request_digest = number;
  event.submitter = submitter;
  for (uint32_t i = 0; i < jobs; ++i) {
    event.jobs.push_back({JobId(event.request_id, i), absl::StrCat("lenet-sweep-", number, "-", i),
                          specs[(number + i) % specs.size()]});
  }
  return event;
}

// ---- restart ----

Measured Fill(const std::string& folder, int64_t jobs) {
  auto store = store::OpenRocksdbStore(folder);
  Check(store.status());
  const uint64_t term = *(*store)->TakeTerm();
  Check(store::PrepareSchema(**store, term));
  auto recovered = store::Recover(**store, {});
  Check(recovered.status());
  store::SharedValues shared = std::move(recovered->shared);
  core::Core core(std::move(recovered->state));
  auto committer = store::Committer::Open(**store, shared, {.core_version = core::kVersion});
  Check(committer.status());
  const auto specs = Specs(20);
  const auto begin = std::chrono::steady_clock::now();
  int64_t now_ms = 1'700'000'000'000;
  std::vector<store::Batch> batches;
  for (int64_t done = 0; done < jobs; done += 64) {
    const state::Event event =
        Submit(static_cast<uint64_t>(done), static_cast<size_t>(std::min<int64_t>(64, jobs - done)),
               specs);
    const state::Outputs outputs = core.Step(event, ++now_ms);
    Check(outputs.reply);
    auto batch = committer->Make(core.state(), event, outputs, now_ms);
    Check(batch.status());
    batches.push_back(*std::move(batch));
    if (batches.size() < 16) continue;
    Check((*store)->Commit(term, batches));
    committer->Committed(committer->last_sequence());
    batches.clear();
  }
  Check((*store)->Commit(term, batches));
  return {SecondsSince(begin), ResidentMiB(), static_cast<double>(core.state().jobs.size())};
}

Measured Restart(const std::string& folder) {
  const auto begin = std::chrono::steady_clock::now();
  auto store = store::OpenRocksdbStore(folder);
  Check(store.status());
  const uint64_t term = *(*store)->TakeTerm();
  Check(store::PrepareSchema(**store, term));
  auto recovered = store::Recover(**store, {});
  Check(recovered.status());
  store::SharedValues shared = std::move(recovered->shared);
  core::Core core(std::move(recovered->state));
  auto committer = store::Committer::Open(**store, shared, {.core_version = core::kVersion});
  Check(committer.status());
  const state::Event event = state::SchedulerStarted{.term = term};
  const int64_t now_ms = 1'800'000'000'000;
  const state::Outputs outputs = core.Step(event, now_ms);
  auto batch = committer->Make(core.state(), event, outputs, now_ms);
  Check(batch.status());
  Check((*store)->Commit(term, {*batch}));
  return {SecondsSince(begin), ResidentMiB(), static_cast<double>(core.state().jobs.size())};
}

// Durable batches of 64 in, then the restart with all of them queued.
void BM_Restart(benchmark::State& state) {
  std::string folder = "/tmp/scheduler-bench-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) std::exit(1);
  const Measured filled = InChild([&] { return Fill(folder, state.range(0)); });
  Measured restarted;
  for (auto _ : state) {
    restarted = InChild([&] { return Restart(folder); });
    state.SetIterationTime(restarted.seconds);
  }
  state.counters["jobs"] = restarted.jobs;
  state.counters["restart_MiB"] = restarted.mib;
  state.counters["filled_MiB"] = filled.mib;
  state.counters["stored_jobs_per_s"] = filled.jobs / filled.seconds;
  std::filesystem::remove_all(folder);
}
BENCHMARK(BM_Restart)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->UseManualTime()
    ->Unit(benchmark::kSecond)
    ->Iterations(3);

// ---- decisions ----

state::NodeJoined Join(uint64_t index, Random& random) {
  state::NodeJoined event;
  event.offer.id = absl::StrFormat("%032x", index);
  event.offer.incarnation = "first";
  event.offer.name = absl::StrCat("node-", index);
  event.offer.cpus_milli = static_cast<int32_t>(random.Between(2, 8) * 1000);
  event.offer.memory_bytes = int64_t{64} << 30;
  event.offer.disk_free_bytes = int64_t{100} << 30;
  event.offer.data_addresses = {
      absl::StrCat("10.", index >> 16, ".", index >> 8 & 255, ".", index & 255)};
  event.offer.host_id = event.offer.id;
  event.offer.device_kind = "cpu:bench";
  event.offer.spot = random.Chance(2, 3);
  event.offer.price_usd_micro_per_hour = random.Between(10'000, 900'000);
  event.offer.on_demand_usd_micro_per_hour = event.offer.price_usd_micro_per_hour * 3;
  return event;
}

// A full fleet and a long queue behind it.
class Cluster {
 public:
  Cluster(uint64_t nodes, size_t queued) : random_(1), core_(state::State()), specs_(Specs(50)) {
    for (uint64_t i = 1; i <= nodes; ++i) Step(Join(i, random_));
    // Until the queue is as long as asked for: whatever fits is started.
    while (queued_jobs() < queued) {
      Step(Submit(++requests_, 64, specs_));
      submitted_ += 64;
      while (core_.NextDeadline() <= now_ms_) Step(state::TimerFired{});
    }
  }

  // Applies the event; starts that follow are remembered as running tasks.
  double Step(const state::Event& event) {
    const auto begin = std::chrono::steady_clock::now();
    const state::Outputs outputs = core_.Step(event, ++now_ms_);
    const double seconds = SecondsSince(begin);
    for (const state::Effect& effect : outputs.effects) {
      const auto* wanted = std::get_if<state::SendWanted>(&effect);
      if (wanted == nullptr) continue;
      for (const state::WantedTask& task : wanted->tasks) {
        if (known_.insert(task.task.token * 100 + static_cast<uint64_t>(task.task.rank)).second) {
          tasks_.emplace_back(wanted->node, task.task);
          started_.insert(task.task.job);
        }
      }
    }
    return seconds;
  }

  // A random rank ends well; the time until its place is given away again.
  double EndOne() {
    const size_t index = random_.Below(tasks_.size());
    std::swap(tasks_[index], tasks_.back());
    const auto [node, task] = tasks_.back();
    tasks_.pop_back();
    state::TaskReported report;
    report.task = task;
    report.node = node;
    report.incarnation = "first";
    report.stage = state::TaskStage::kExited;
    report.at_ms = now_ms_;
    double seconds = Step(report);
    while (core_.NextDeadline() <= now_ms_) seconds = std::max(seconds, Step(state::TimerFired{}));
    return seconds;
  }

  size_t running() const { return tasks_.size(); }
  size_t queued_jobs() const { return submitted_ - started_.size(); }

 private:
  Random random_;
  core::Core core_;
  const std::vector<std::shared_ptr<const state::JobSpec>> specs_;
  int64_t now_ms_ = 1'700'000'000'000;
  uint64_t requests_ = 0;
  size_t submitted_ = 0;
  std::set<uint64_t> known_;  // token and rank
  std::set<state::JobId> started_;
  std::vector<std::pair<state::NodeId, state::TaskKey>> tasks_;
};

void BM_Decision(benchmark::State& state) {
  Cluster cluster(static_cast<uint64_t>(state.range(0)), static_cast<size_t>(state.range(1)));
  std::vector<double> seconds;
  for (auto _ : state) seconds.push_back(cluster.EndOne());
  std::sort(seconds.begin(), seconds.end());
  state.counters["p50_us"] = seconds[seconds.size() / 2] * 1e6;
  state.counters["p99_us"] = seconds[seconds.size() * 99 / 100] * 1e6;
  state.counters["max_us"] = seconds.back() * 1e6;
  state.counters["running_ranks"] = static_cast<double>(cluster.running());
  state.counters["queued_jobs"] = static_cast<double>(cluster.queued_jobs());
}
BENCHMARK(BM_Decision)->Args({10'000, 100'000})->Unit(benchmark::kMicrosecond)->Iterations(2000);

}  // namespace
}  // namespace baton

BENCHMARK_MAIN();
