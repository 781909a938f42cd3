#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/chaos/game.h"
#include "client/command/command.h"
#include "client/render/json.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  chaos::GameOptions game;
  std::vector<std::string> entries;
  std::string workers = "spot,spot,spot,on-demand";
  std::string folder;
};

Json ResultJson(const chaos::GameOptions& options, const chaos::GameResult& result) {
  Json json = {{"seed", options.seed}, {"good", result.good()}, {"faults", Json::array()}};
  for (const chaos::PlayedFault& fault : result.faults) {
    json["faults"].push_back({{"at_s", static_cast<double>(fault.at_ms) / 1000},
                              {"kind", fault.kind},
                              {"target", fault.target}});
  }
  json["jobs"] = Json::array();
  for (const chaos::PlayedJob& job : result.jobs) {
    json["jobs"].push_back({{"id", job.id},
                            {"name", job.name},
                            {"state", job.state},
                            {"sha256", job.sha256.empty() ? Json() : Json(job.sha256)},
                            {"calm_sha256", job.calm_sha256}});
  }
  json["leaks"] = result.leaks;
  return json;
}

absl::Status Run(Context& context, const Flags& flags) {
  chaos::GameOptions options = flags.game;
  options.capacities = absl::StrSplit(flags.workers, ',');
  for (const std::string& entry : flags.entries) {
    options.entries.push_back(absl::StrSplit(entry, ' ', absl::SkipEmpty()));
  }
  namespace fs = std::filesystem;
  options.folder =
      fs::absolute(flags.folder.empty() ? absl::StrCat("chaos-", options.seed) : flags.folder)
          .lexically_normal()
          .string();
  if (fs::exists(options.folder + "/cluster")) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.folder, " holds a game already; remove it, or give another --dir"));
  }
  const auto say = [&context](const std::string& line) {
    std::fprintf(context.json() ? stderr : stdout, "%s\n", line.c_str());
    std::fflush(nullptr);
  };
  BATON_ASSIGN_OR_RETURN(const chaos::GameResult result,
                         chaos::Play(options, Context::interrupted, say));
  if (context.json()) {
    std::fputs(Pretty(ResultJson(options, result)).c_str(), stdout);
  } else {
    for (const std::string& leak : result.leaks) std::printf("left behind: %s\n", leak.c_str());
    std::printf("%zu faults, %zu jobs: %s\n", result.faults.size(), result.jobs.size(),
                result.good() ? "each ended with the calm run's bytes, nothing is left behind"
                              : "NOT all as they should be; see above");
  }
  if (!result.good()) context.exit_code = kProgramFailed;
  return absl::OkStatus();
}

}  // namespace

void AddChaos(CLI::App& app, Context& context) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddVerb(
      app, "chaos",
      "A game day: jobs on a local cluster of its own, while nodes die, freeze, and get notices",
      "baton chaos --seed 7 --faults 200 trainer/specs/lenet.yaml 'train.py --epochs 5'\n\n"
      "Each job first runs undisturbed. Then it runs again and again under the seed's faults:\n"
      "kills of ranks, nodes and the scheduler, freezes, cut lines, notices of three clouds.\n"
      "Exit code 0: every run has left the same bytes as the calm one, and no process is left.");
  verb->add_option(
      "entry", flags->entries,
      "specs and scripts, each with its words between quotes, flags of Baton right behind the "
      "script (one of the game's own)");
  verb->add_option("--seed", flags->game.seed, "which faults, and when (1)");
  verb->add_option("--faults", flags->game.faults, "how many (20)")->check(CLI::Range(0, 100'000));
  verb->add_option("--workers", flags->workers,
                   "spot or on-demand, one per node, with commas between")
      ->check(CLI::Validator(CheckWorkers, ""));
  verb->add_option("--cpus", flags->game.cpus, "CPUs that each node offers (1)")
      ->check(CLI::Validator(CheckCpus, ""));
  verb->add_option("--jobs", flags->game.jobs_at_once, "how many run at once (2)")
      ->check(CLI::Range(1, 1000));
  verb->add_option("--dir", flags->folder, "keep everything here (chaos-SEED)");
  AddOutputFlag(*verb, context);
  OnVerb(*verb, context, [&context, flags] { return Run(context, *flags); });
}

}  // namespace baton::client
