// baton-sim: simulated clusters, one after the other, until enough events have been applied.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/hash.h"
#include "scheduler/sim/expected_probes.h"
#include "scheduler/sim/world.h"

namespace {

constexpr uint64_t kEventsPerWorld = 4000;
// So many must reach every rare branch.
constexpr uint64_t kEventsForAllProbes = 400'000;

struct Options {
  uint64_t seed = 1;
  uint64_t events = 100'000;
  bool trace = false;
  bool probes = false;
};

// The first world has the seed itself, so that any world is replayed by its own.
uint64_t SeedOfWorld(uint64_t seed, uint64_t world) {
  const uint64_t both[2] = {seed, world};
  return world == 0 ? seed : baton::Xxh3(both, sizeof(both)) >> 16;
}

int Run(const Options& options) {
  const uint64_t fault_events = std::min(options.events, kEventsPerWorld);
  baton::sim::Probes probes;
  uint64_t events = 0;
  uint64_t replayed = 0;
  uint64_t jobs = 0;
  uint64_t worlds = 0;
  uint64_t digest = 0;
  int64_t virtual_ms = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (; events < options.events; ++worlds) {
    const uint64_t seed = SeedOfWorld(options.seed, worlds);
    baton::sim::WorldOptions world_options;
    world_options.seed = seed;
    world_options.fault_events = fault_events;
    if (options.trace) {
      world_options.tracer = [](absl::string_view line) { std::cout << line << "\n"; };
    }
    const baton::sim::WorldResult world = baton::sim::RunWorld(world_options);
    events += world.events;
    if (!world.status.ok()) {
      std::cout << "BROKEN after " << world.events << " events of world " << worlds << " ("
                << events << " in all), seed " << seed << ":\n  " << world.status.message()
                << "\nreplay: baton-sim --seed " << seed << " --events " << fault_events
                << " --trace\n";
      return 1;
    }
    replayed += world.replayed;
    jobs += world.jobs;
    virtual_ms += world.virtual_ms;
    const uint64_t both[2] = {digest, world.digest};
    digest = baton::Xxh3(both, sizeof(both));
    probes.Add(world.probes);
  }
  const double took_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::cout << absl::StrFormat(
      "seed %d: %d events, %d worlds, %d jobs, %d h of virtual time, %d events replayed; "
      "digest %016x\n",
      options.seed, events, worlds, jobs, virtual_ms / 3'600'000, replayed, digest);
  // Not on stdout: the same seed prints the same bytes there.
  std::cerr << absl::StrFormat("%.1f s, %.0f events/s\n", took_s,
                               static_cast<double>(events) / took_s);
  if (options.probes) {
    for (const auto& [name, hits] : probes.hits()) std::cout << hits << "\t" << name << "\n";
  }
  const auto missing = probes.Missing(baton::sim::ExpectedProbes());
  if (events < kEventsForAllProbes || missing.empty()) return 0;
  std::cout << "never reached: " << absl::StrJoin(missing, "; ") << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Simulated clusters under faults: the scheduler's core with production's codec and "
      "recovery, invariants after every event.");
  app.footer("Example: baton-sim --seed 7 --events 1000000");
  app.add_option("--seed", options.seed, "decides everything that happens")->capture_default_str();
  app.add_option("--events", options.events, "events to apply, at least")->capture_default_str();
  app.add_flag("--trace", options.trace, "print every event in words");
  app.add_flag("--probes", options.probes, "print how often each rare branch was reached");
  CLI11_PARSE(app, argc, argv);
  return Run(options);
}
