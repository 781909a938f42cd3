// How long the core takes for one event, its pass over the queue included, with many nodes that are
// full and many jobs that wait: gangs end, jobs come, nodes are lost and come back. With --kinds 0
// no two jobs ask for the same, else they are of so many kinds.
//   decision_bench --nodes 10000 --jobs 100000 --events 20000 --seed 1
// Prints one JSON object: for each kind of event its number and p50, p99 and maximum in ms of
// processor time.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/check.h"
#include "common/ids.h"
#include "common/random.h"
#include "scheduler/core/step.h"

namespace baton {
namespace {

using state::Event;

constexpr int64_t kBeginMs = 1'700'000'000'000;
constexpr int kJobsPerSubmit = 50;
constexpr int kProjects = 40;

struct Options {
  int nodes = 10'000;
  int network = 1'000;
  int jobs = 100'000;
  int events = 20'000;
  int kinds = 0;  // of jobs; 0: no two alike
  uint64_t seed = 1;
};

// Processor time: the core does nothing but compute, and so another program's turn is not counted.
double ThreadMillis() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// A fleet whose every task does at once what it is told to.
class Fleet {
 public:
  explicit Fleet(const Options& options)
      : options_(options), random_(options.seed), core_(state::State()) {}

  void Fill() {
    Apply("start", state::SchedulerStarted{.term = 1});
    for (int i = 0; i < options_.nodes; ++i) Join(i);
    // Not measured, since a fleet fills only once: until all nodes are full and all jobs wait.
    while (Waiting() < options_.jobs) Submit();
    millis_.clear();
  }

  void Run() {
    for (int i = 0; i < options_.events; ++i) {
      const uint64_t draw = random_.Next() % 100;
      if (draw < 70) {
        EndSomeJob();
      } else if (draw < 90) {
        Submit();
      } else if (draw < 95) {
        Lose();
      } else {
        JoinAgain();
      }
    }
  }

  void Print() {
    std::printf("{\"seed\":%llu,\"nodes\":%d,\"waiting\":%d,\"running\":%zu",
                static_cast<unsigned long long>(options_.seed), options_.nodes, Waiting(),
                live_.size());
    for (auto& [kind, values] : millis_) {
      std::sort(values.begin(), values.end());
      const auto at = [&](double share) {
        return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
      };
      std::printf(",\"%s\":{\"events\":%zu,\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"max_ms\":%.3f}",
                  kind.c_str(), values.size(), at(0.5), at(0.99), values.back());
    }
    std::printf("}\n");
  }

 private:
  int Waiting() const { return static_cast<int>(submitted_ - started_.size()); }

  // One event and all that the fleet answers to what it causes.
  void Apply(const std::string& kind, Event event) {
    events_.emplace_back(kind, std::move(event));
    while (true) {
      while (!events_.empty()) {
        Step(events_.front().first, events_.front().second);
        events_.pop_front();
      }
      if (core_.NextDeadline() > now_ms_) return;
      Step("timer", state::TimerFired());
    }
  }

  void Step(const std::string& kind, const Event& event) {
    ++now_ms_;
    const double begin = ThreadMillis();
    const core::Outputs outputs = core_.Step(event, now_ms_);
    millis_[kind].push_back(ThreadMillis() - begin);
    // A word of an attempt that has ended meanwhile is refused, as it should be.
    const bool late = std::holds_alternative<state::TaskReported>(event) &&
                      absl::IsFailedPrecondition(outputs.reply);
    BATON_CHECK(outputs.reply.ok() || late, std::string(outputs.reply.message()));
    state::NodesProbed probed;
    for (const state::Effect& effect : outputs.effects) {
      if (const auto* wanted = std::get_if<state::SendWanted>(&effect)) Obey(*wanted);
      if (const auto* probe = std::get_if<state::ProbeNodes>(&effect)) {
        state::NodeProbes& told = probed.nodes.emplace_back();
        told.node = probe->node;
        told.incarnation = probe->incarnation;
        for (const auto& target : probe->targets) {
          told.results.push_back({.to = target.node, .port = target.port, .error = ""});
        }
      }
    }
    // All at once, as the edge gathers them.
    if (!probed.nodes.empty()) events_.emplace_back("probes", std::move(probed));
  }

  void Obey(const state::SendWanted& wanted) {
    for (const state::WantedTask& task : wanted.tasks) {
      const auto key = std::make_pair(task.task.token, task.task.rank);
      state::Goal& done = done_.try_emplace(key, state::Goal::kPrepare).first->second;
      if (task.goal == state::Goal::kPrepare && prepared_.insert(key).second) {
        started_.insert(task.task.job);
        Report(wanted, task.task, state::TaskStage::kPrepared, 0);
      } else if (task.goal == state::Goal::kRun && done == state::Goal::kPrepare) {
        done = state::Goal::kRun;
        live_[task.task.job][task.task.rank] = {wanted.node, wanted.incarnation, task.task};
        Report(wanted, task.task, state::TaskStage::kRunning, 0);
      } else if (task.goal == state::Goal::kStop && done != state::Goal::kStop) {
        done = state::Goal::kStop;
        Report(wanted, task.task, state::TaskStage::kExited, -15);
      }
    }
  }

  void Report(const state::SendWanted& wanted, const state::TaskKey& task, state::TaskStage stage,
              int exit_code) {
    state::TaskReported report;
    report.task = task;
    report.node = wanted.node;
    report.incarnation = wanted.incarnation;
    report.stage = stage;
    report.at_ms = now_ms_;
    report.exit_code = exit_code;
    report.address = "10.0.0.1";
    report.port = 1;
    const char* kind = stage == state::TaskStage::kPrepared  ? "prepared"
                       : stage == state::TaskStage::kRunning ? "running"
                                                             : "stopped";
    events_.emplace_back(kind, report);
  }

  void EndSomeJob() {
    if (live_.empty()) return;
    auto at = live_.lower_bound(JobId(absl::StrCat(random_.Next()), 0));
    if (at == live_.end()) at = live_.begin();
    const auto tasks = std::move(at->second);
    live_.erase(at);
    for (const auto& [rank, live] : tasks) {
      const state::SendWanted where{live.node, live.incarnation, {}};
      Report(where, live.task, state::TaskStage::kExited, 0);
      events_.back().first = "exit";
    }
    Apply("exit-timer", state::TimerFired());
  }

  void Submit() {
    state::JobsSubmitted submit;
    submit.request_id = absl::StrCat("request-", ++requests_);
    submit.submitter = submitter_;
    for (int i = 0; i < kJobsPerSubmit; ++i) {
      submit.jobs.push_back({JobId(submit.request_id, static_cast<uint32_t>(i)), "bench", Spec()});
    }
    submitted_ += submit.jobs.size();
    Apply("submit-50", std::move(submit));
  }

  std::shared_ptr<const state::JobSpec> Spec() {
    if (options_.kinds == 0) return DrawSpec();
    while (static_cast<int>(specs_.size()) < options_.kinds) specs_.push_back(DrawSpec());
    return specs_[random_.Next() % specs_.size()];
  }

  std::shared_ptr<const state::JobSpec> DrawSpec() {
    auto spec = std::make_shared<state::JobSpec>();
    spec->project = absl::StrCat("project-", random_.Next() % kProjects);
    spec->priority = static_cast<int32_t>(random_.Next() % 3) * 10;
    spec->ranks_min = 1 + static_cast<int32_t>(random_.Next() % 4);
    spec->ranks_max = spec->ranks_min + static_cast<int32_t>(random_.Next() % 4);
    spec->resources.cpus_milli = 1000 * (1 + static_cast<int32_t>(random_.Next() % 8));
    spec->resources.memory_bytes = static_cast<int64_t>(1 + random_.Next() % 30'000) << 20;
    spec->capacity = random_.Next() % 4 == 0 ? state::Capacity::kOnDemand : state::Capacity::kAuto;
    if (random_.Next() % 3 == 0) {
      spec->time_limit_ms = 60'000 * static_cast<int64_t>(1 + random_.Next() % 600);
    }
    if (random_.Next() % 10 == 0) spec->require = {{"zone", absl::StrCat("z", random_.Next() % 5)}};
    return spec;
  }

  void Join(int index) {
    state::NodeJoined joined;
    joined.offer.id = absl::StrFormat("%032d", index);
    joined.offer.incarnation = absl::StrCat(++incarnations_);
    joined.offer.name = absl::StrCat("node-", index);
    joined.offer.cpus_milli = 8'000;
    joined.offer.memory_bytes = int64_t{32} << 30;
    joined.offer.disk_free_bytes = int64_t{1} << 40;
    joined.offer.data_addresses = {absl::StrCat("10.0.", index / 250, ".", index % 250)};
    joined.offer.host_id = joined.offer.id;
    if (index < options_.network) joined.offer.probe_port = 4711;
    joined.offer.device_kind = "cpu";
    joined.offer.spot = index % 3 != 0;
    joined.offer.price_usd_micro_per_hour = 10'000 + index % 97;
    joined.offer.on_demand_usd_micro_per_hour = 30'000;
    joined.offer.labels = {{"zone", absl::StrCat("z", index % 5)}};
    incarnation_[index] = joined.offer.incarnation;
    Apply("join", std::move(joined));
  }

  void Lose() {
    const int index = static_cast<int>(random_.Next() % static_cast<uint64_t>(options_.nodes));
    if (!lost_.insert(index).second) return;
    state::NodeLost lost;
    lost.node = absl::StrFormat("%032d", index);
    lost.incarnation = incarnation_[index];
    lost.cause = "connection closed";
    lost.last_heard_ms = now_ms_;
    for (auto at = live_.begin(); at != live_.end();) {
      const bool hit = std::any_of(at->second.begin(), at->second.end(), [&](const auto& entry) {
        return entry.second.node == lost.node;
      });
      at = hit ? live_.erase(at) : std::next(at);
    }
    Apply("lost", std::move(lost));
  }

  void JoinAgain() {
    if (lost_.empty()) return;
    const int index = *lost_.begin();
    lost_.erase(lost_.begin());
    Join(index);
  }

  struct Live {
    state::NodeId node;
    std::string incarnation;
    state::TaskKey task;
  };

  const Options options_;
  Random random_;
  core::Core core_;
  int64_t now_ms_ = kBeginMs;
  std::vector<std::shared_ptr<const state::JobSpec>> specs_;
  std::deque<std::pair<std::string, Event>> events_;
  std::map<std::string, std::vector<double>> millis_;
  std::shared_ptr<const state::Submitter> submitter_ =
      std::make_shared<state::Submitter>(state::Submitter{"bench", "bench:/tmp"});
  uint64_t requests_ = 0, incarnations_ = 0;
  size_t submitted_ = 0;
  std::set<state::JobId> started_;  // at least once
  std::map<std::pair<state::Token, int32_t>, state::Goal> done_;
  std::set<std::pair<state::Token, int32_t>> prepared_;
  std::map<state::JobId, std::map<int32_t, Live>> live_;
  std::map<int, std::string> incarnation_;
  std::set<int> lost_;
};

}  // namespace
}  // namespace baton

int main(int argc, char** argv) {
  baton::Options options;
  CLI::App app("How long the core takes for one event.", "decision_bench");
  app.add_option("--nodes", options.nodes, "simulated nodes of 8 cores")
      ->check(CLI::Range(1, 100000));
  app.add_option("--network", options.network,
                 "of the nodes, that reach each other: gangs run there");
  app.add_option("--jobs", options.jobs, "that wait before the measurement begins")
      ->check(CLI::Range(1, 10000000));
  app.add_option("--events", options.events, "drawn in the measurement");
  app.add_option("--kinds", options.kinds, "of jobs; 0: no two alike");
  app.add_option("--seed", options.seed, "of the draws");
  CLI11_PARSE(app, argc, argv);
  baton::Fleet fleet(options);
  fleet.Fill();
  fleet.Run();
  fleet.Print();
  return 0;
}
