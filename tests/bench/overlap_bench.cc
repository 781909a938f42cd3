// What it saves that gradients leave while backward still runs: the time of a step (forward,
// backward and exchange, without the optimizer) of ranks that are threads, each with one shard.
// Beside it the same step with everything sent in one piece when backward is over.
//   build/release/tests/overlap_bench --spec trainer/specs/gpt.yaml --mbit 0 --mbit 1000
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "common/check.h"
#include "common/spec/parse.h"
#include "trainer/backend/cpu/cpu_backend.h"
#include "trainer/comm/gloo.h"
#include "trainer/comm/local.h"
#include "trainer/layer/network.h"
#include "trainer/layer/plan.h"
#include "trainer/parallel/gradient_exchange.h"

namespace baton::trainer {
namespace {

constexpr std::chrono::seconds kPatience{60};

using Members = std::vector<std::unique_ptr<Group>>;

void OnEachRank(int ranks, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) threads.emplace_back(body, rank);
  for (std::thread& thread : threads) thread.join();
}

Members Loopback(int ranks) {
  std::string folder = std::filesystem::temp_directory_path() / "overlap-XXXXXX";
  BATON_CHECK(mkdtemp(folder.data()) != nullptr, "no folder");
  Members members(static_cast<size_t>(ranks));
  OnEachRank(ranks, [&](int rank) {
    auto rendezvous =
        OpenRendezvous({.address = "dir:" + folder, .rank = rank, .world_size = ranks});
    BATON_CHECK(rendezvous.ok(), std::string(rendezvous.status().message()));
    auto group =
        FormGlooGroup({.rank = rank, .world_size = ranks, .address = "127.0.0.1"}, **rendezvous);
    BATON_CHECK(group.ok(), std::string(group.status().message()));
    members[static_cast<size_t>(rank)] = *std::move(group);
  });
  std::filesystem::remove_all(folder);
  return members;
}

// Ones and zeros, which are values as well as ids.
Batch AnyBatch(const spec::Model& model, int64_t count) {
  const auto plan = PlanOperations(model);
  BATON_CHECK(plan.ok(), std::string(plan.status().message()));
  Batch batch;
  batch.count = count;
  for (const spec::ModelInput& input : model.inputs) {
    int64_t size = count;
    for (const int64_t extent : input.shape) size *= extent;
    for (int64_t i = 0; i < size; ++i) batch.values.push_back(static_cast<float>(i % 3 % 2));
  }
  batch.labels.assign(static_cast<size_t>(count * plan->layout.rows), 1);
  batch.targets.assign(static_cast<size_t>(count * plan->layout.width), 1);
  return batch;
}

// The two ways, taking turns, so that a busy machine is as bad for both.
class Pair {
 public:
  Pair(const spec::NativeSpec& spec, int rounds) : spec_(spec), rounds_(rounds) {}

  void Run(Members& members) {
    OnEachRank(static_cast<int>(members.size()),
               [&](int rank) { RunRank(*members[static_cast<size_t>(rank)]); });
  }

  std::vector<double> after_s, overlapped_s;  // of rank 0, one for each round

 private:
  void RunRank(Group& group) {
    const int64_t count = spec_.batch_size / group.size();
    const auto backend = CreateCpuBackend();
    auto network = Network::Create(spec_.model, *backend, count);
    BATON_CHECK(network.ok(), std::string(network.status().message()));
    std::vector<float> weights((*network)->parameter_count());
    BATON_CHECK(InitializeParameters(spec_.model, 1, weights.data()).ok(), "initialization");
    const Batch batch = AnyBatch(spec_.model, count);
    ShardPool pool(1);
    const size_t floats = (*network)->gradient_count();
    auto whole = GradientExchange::Create(group, pool, group.size(), floats, {},
                                          std::numeric_limits<size_t>::max());
    auto buckets = GradientExchange::Create(group, pool, group.size(), floats);
    BATON_CHECK(whole.ok() && buckets.ok(), "exchange");
    for (int round = -2; round < 2 * rounds_; ++round) {
      const bool early = round % 2 == 0;
      GradientExchange& exchange = early ? **buckets : **whole;
      BATON_CHECK(Barrier(group, kPatience).ok(), "barrier");
      const auto begin = std::chrono::steady_clock::now();
      Gradient gradient(exchange.shard_gradient(0));
      const auto ready = [&](size_t from) { exchange.Ready(0, from); };
      if (early) gradient.ready.emplace(ready);
      const auto trained =
          (*network)->Train(weights.data(), batch, 1.0f / static_cast<float>(spec_.batch_size),
                            RandomStream::Make(1, RandomPurpose::kTrain), gradient);
      BATON_CHECK(trained.ok(), std::string(trained.status().message()));
      const auto sum = exchange.Run({.step = round}, kPatience);
      BATON_CHECK(sum.ok(), std::string(sum.status().message()));
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      if (round >= 0 && group.rank() == 0) (early ? overlapped_s : after_s).push_back(took.count());
    }
  }

  const spec::NativeSpec& spec_;
  const int rounds_;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace
}  // namespace baton::trainer

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app(
      "A step whose gradients leave during backward, beside one that sends them after it.");
  std::string spec_file;
  baton::spec::Overrides overrides;
  int ranks = 2, rounds = 21;
  std::vector<int> links = {0};
  app.add_option("--spec", spec_file, "whose model and batch_size")->required();
  app.add_option("--set", overrides.sets, "as baton-trainer's")->take_all();
  app.add_option("--ranks", ranks, "threads, each a rank")->check(CLI::Range(2, 16));
  app.add_option("--rounds", rounds, "of each kind");
  app.add_option("--mbit", links,
                 "per second of a simulated line from each rank; 0: TCP, loopback");
  CLI11_PARSE(app, argc, argv);
  const auto spec = baton::spec::ParseFile(spec_file, overrides);
  if (!spec.ok() || !spec->native) {
    std::fprintf(stderr, "%s\n", std::string(spec.status().message()).c_str());
    return 1;
  }
  for (const int mbit : links) {
    auto members =
        mbit == 0
            ? baton::trainer::Loopback(ranks)
            : baton::trainer::MakeLocalGroupOver(
                  {.bytes_per_s = mbit * 125e3, .latency = std::chrono::microseconds(50)}, ranks);
    baton::trainer::Pair pair(*spec->native, rounds);
    pair.Run(members);
    const double after = baton::trainer::Median(pair.after_s);
    const double overlapped = baton::trainer::Median(pair.overlapped_s);
    std::printf("ranks %d mbit %d after_ms %.3f overlapped_ms %.3f ratio %.3f\n", ranks, mbit,
                after * 1000, overlapped * 1000, overlapped / after);
    std::fflush(stdout);
  }
  return 0;
}
