#include <cstdio>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/command/command.h"
#include "client/local/cluster.h"
#include "client/render/json.h"
#include "client/render/table.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

using Json = nlohmann::ordered_json;

void Say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

Json StatusJson(const LocalCluster& cluster) {
  Json json;
  json["folder"] = cluster.folder;
  json["address"] = cluster.address;
  const auto pid = [](const Process& p) { return IsAlive(p) ? Json(p.pid) : Json(); };
  json["scheduler"] = {{"pid", pid(cluster.scheduler)}};
  json["workers"] = Json::array();
  for (const LocalWorker& worker : cluster.workers) {
    Json entry = {{"name", worker.name},
                  {"pid", pid(worker.process)},
                  {"capacity", worker.capacity},
                  {"tasks", Json::array()}};
    if (IsAlive(worker.process)) {
      for (const LocalTask& task : TasksOf(worker.process.pid)) {
        entry["tasks"].push_back({{"job", task.job}, {"rank", task.rank}, {"pid", task.pid}});
      }
    }
    json["workers"].push_back(entry);
  }
  return json;
}

void PrintStatus(const LocalCluster& cluster) {
  const Json json = StatusJson(cluster);
  const auto pid = [](const Json& p) { return p.is_null() ? "not running" : p.dump(); };
  std::vector<std::vector<std::string>> rows = {{"PROGRAM", "PID", "TASKS"}};
  rows.push_back({absl::StrCat("scheduler ", cluster.address), pid(json["scheduler"]["pid"]), ""});
  for (const Json& worker : json["workers"]) {
    std::string tasks;
    for (const Json& task : worker["tasks"]) {
      absl::StrAppend(&tasks, task["job"].get<std::string>(), "/", task["rank"].dump(), " (pid ",
                      task["pid"].dump(), ") ");
    }
    rows.push_back(
        {absl::StrCat("worker ", worker["name"].get<std::string>()), pid(worker["pid"]), tasks});
  }
  std::printf("%s\n%s", cluster.folder.c_str(), Table(rows).c_str());
}

absl::Status Up(const Context& context, const LocalOptions& options) {
  const auto quiet = [](const std::string&) {};
  BATON_ASSIGN_OR_RETURN(
      const LocalCluster cluster,
      LocalUp(options, context.json() ? std::function<void(const std::string&)>(quiet) : Say));
  if (context.json()) {
    std::fputs(Pretty(StatusJson(cluster)).c_str(), stdout);
    return absl::OkStatus();
  }
  Say(absl::StrCat("up: ", cluster.workers.size(), " workers, all below ", cluster.folder,
                   "\nnext: baton train trainer/specs/lenet.yaml --follow  ·  baton nodes  ·  "
                   "baton local down"));
  return absl::OkStatus();
}

absl::Status Status(const Context& context, const std::string& folder) {
  BATON_ASSIGN_OR_RETURN(const LocalCluster cluster, ReadLocal(folder));
  if (context.json()) {
    std::fputs(Pretty(StatusJson(cluster)).c_str(), stdout);
  } else {
    PrintStatus(cluster);
  }
  return absl::OkStatus();
}

absl::Status Down(const Context& context, const std::string& folder) {
  const auto quiet = [](const std::string&) {};
  BATON_ASSIGN_OR_RETURN(
      const std::string ended,
      LocalDown(folder, context.json() ? std::function<void(const std::string&)>(quiet) : Say));
  if (!context.json()) return absl::OkStatus();
  std::fputs(Pretty({{"folder", ended.empty() ? Json() : Json(ended)}}).c_str(), stdout);
  return absl::OkStatus();
}

void AddUp(CLI::App& local, Context& context) {
  auto options = std::make_shared<LocalOptions>();
  CLI::App* up =
      AddVerb(local, "up", "Start a scheduler and workers here; run again, it starts what has died",
              "baton local up --workers spot,spot,on-demand");
  up->add_option("--dir", options->folder, "keep everything here");
  const auto take = [options](const std::string& list) {
    options->capacities = absl::StrSplit(list, ',');
  };
  up->add_option_function<std::string>("--workers", take,
                                       "spot or on-demand, one per worker, with commas between")
      ->check(CLI::Validator(CheckWorkers, ""));
  up->add_option("--cpus", options->cpus, "CPUs that each worker offers (1)")
      ->check(CLI::Validator(CheckCpus, ""));
  up->add_option("--port", options->port, "the scheduler's port (any free one)")
      ->check(CLI::Range(1, 65535));
  AddOutputFlag(*up, context);
  OnVerb(*up, context, [&context, options] { return Up(context, *options); });
}

}  // namespace

std::string CheckWorkers(const std::string& list) {
  for (const absl::string_view word : absl::StrSplit(list, ',')) {
    if (word == "spot" || word == "on-demand") continue;
    return absl::StrCat("`", list, "`: each word is spot or on-demand, such as spot,spot",
                        word.empty() ? "; one is empty" : "");
  }
  return "";
}

std::string CheckCpus(const std::string& word) {
  double cpus = 0;
  // Not the other way round: every comparison with "nan" is false.
  if (absl::SimpleAtod(word, &cpus) && cpus >= 0.001 && cpus <= 4096) return "";
  return absl::StrCat("`", word, "` is no number from 0.001 to 4096");
}

void AddLocal(CLI::App& app, Context& context) {
  CLI::App* local =
      AddVerb(app, "local", "A scheduler and workers on this machine", "baton local up");
  local->require_subcommand(1);
  AddUp(*local, context);

  auto folder = std::make_shared<std::string>();
  CLI::App* status =
      AddVerb(*local, "status", "What runs here, with pids", "baton local status -o json");
  status->add_option("--dir", *folder, "where it is kept");
  AddOutputFlag(*status, context);
  OnVerb(*status, context, [&context, folder] { return Status(context, *folder); });

  CLI::App* down =
      AddVerb(*local, "down", "End it all; jobs and checkpoints stay on disk", "baton local down");
  down->add_option("--dir", *folder, "where it is kept");
  AddOutputFlag(*down, context);
  OnVerb(*down, context, [&context, folder] { return Down(context, *folder); });
}

}  // namespace baton::client
