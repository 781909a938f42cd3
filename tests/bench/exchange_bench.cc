// What the canonical order costs: a step's exchange of gradients between ranks (threads, over TCP
// on loopback), with its digest of the weights, beside Gloo's own all-reduce of the same floats,
// whose bits change with the number of ranks.
//   build/release/tests/exchange_bench --ranks 2
#include <gloo/allreduce.h>
#include <gloo/math.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/hash_store.h>
#include <gloo/transport/tcp/device.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "common/check.h"
#include "common/hash.h"
#include "trainer/comm/gloo.h"
#include "trainer/parallel/gradient_exchange.h"

namespace baton::trainer {
namespace {

constexpr std::chrono::seconds kPatience{60};

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void OnEachRank(int ranks, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) threads.emplace_back(body, rank);
  for (std::thread& thread : threads) thread.join();
}

// The two ways of one size, taking turns, so that a busy machine is as bad for both.
class Pair {
 public:
  Pair(int ranks, size_t floats, int rounds) : ranks_(ranks), floats_(floats), rounds_(rounds) {}

  void Run() {
    std::string folder = std::filesystem::temp_directory_path() / "exchange-XXXXXX";
    BATON_CHECK(mkdtemp(folder.data()) != nullptr, "no folder");
    OnEachRank(ranks_, [&](int rank) { RunRank(rank, folder); });
    std::filesystem::remove_all(folder);
  }

  std::vector<double> canonical_s, gloo_s;  // of rank 0, one for each round

 private:
  void RunRank(int rank, const std::string& folder) {
    auto rendezvous =
        OpenRendezvous({.address = "dir:" + folder, .rank = rank, .world_size = ranks_});
    BATON_CHECK(rendezvous.ok(), std::string(rendezvous.status().message()));
    auto group =
        FormGlooGroup({.rank = rank, .world_size = ranks_, .address = "127.0.0.1"}, **rendezvous);
    BATON_CHECK(group.ok(), std::string(group.status().message()));
    ShardPool pool(1);
    auto exchange = GradientExchange::Create(**group, pool, ranks_, floats_);
    BATON_CHECK(exchange.ok(), std::string(exchange.status().message()));
    std::fill_n((*exchange)->shard_gradient(0), floats_, 1.0f / static_cast<float>(rank + 1));

    gloo::rendezvous::Context context(rank, ranks_);
    auto device = gloo::transport::tcp::CreateDevice("127.0.0.1");
    context.connectFullMesh(store_, device);
    auto shared = std::shared_ptr<gloo::Context>(&context, [](gloo::Context*) {});
    std::vector<float> sum(floats_), weights(floats_, 0.5f);

    for (int round = 0; round < rounds_; ++round) {
      BATON_CHECK(Barrier(**group, kPatience).ok(), "barrier");
      auto begin = std::chrono::steady_clock::now();
      const uint64_t digest = Xxh3(weights.data(), weights.size() * sizeof(float));
      const auto done = (*exchange)->Run({.step = round, .weights_digest = digest}, kPatience);
      BATON_CHECK(done.ok(), std::string(done.status().message()));
      if (rank == 0) canonical_s.push_back(SecondsSince(begin));

      std::copy_n((*exchange)->shard_gradient(0), floats_, sum.data());
      BATON_CHECK(Barrier(**group, kPatience).ok(), "barrier");
      begin = std::chrono::steady_clock::now();
      gloo::AllreduceOptions options(shared);
      options.setOutput(sum.data(), sum.size());
      options.setReduceFunction(
          static_cast<void (*)(void*, const void*, const void*, size_t)>(&gloo::sum<float>));
      gloo::allreduce(options);
      if (rank == 0) gloo_s.push_back(SecondsSince(begin));
    }
    exchange->reset();
  }

  const int ranks_;
  const size_t floats_;
  const int rounds_;
  gloo::rendezvous::HashStore store_;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace
}  // namespace baton::trainer

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("The canonical exchange of gradients beside Gloo's all-reduce.");
  int ranks = 2, rounds = 101;
  std::vector<size_t> sizes = {61'706, 828'000, 25'600'000};
  app.add_option("--ranks", ranks, "threads, each a rank")->check(CLI::Range(2, 16));
  app.add_option("--rounds", rounds, "of each size; of the largest a tenth");
  app.add_option("--floats", sizes, "of a gradient");
  CLI11_PARSE(app, argc, argv);
  for (const size_t floats : sizes) {
    baton::trainer::Pair pair(ranks, floats, floats > 10'000'000 ? rounds / 10 + 1 : rounds);
    pair.Run();
    const double canonical = baton::trainer::Median(pair.canonical_s);
    const double gloo = baton::trainer::Median(pair.gloo_s);
    std::printf("ranks %d floats %zu canonical_ms %.3f gloo_ms %.3f ratio %.3f\n", ranks, floats,
                canonical * 1000, gloo * 1000, canonical / gloo);
  }
  return 0;
}
