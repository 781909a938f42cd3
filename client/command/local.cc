#include <cstdio>

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

void AddUp(CLI::App& local, Context& context) {
  auto options = std::make_shared<LocalOptions>();
  CLI::App* up =
      AddVerb(local, "up", "Start a scheduler and workers here; run again, it starts what has died",
              "baton local up --workers spot,spot,on-demand");
  up->add_option("--dir", options->folder, "keep everything here");
  up->add_option("--workers", options->capacities, "spot or on-demand, one per worker")
      ->delimiter(',')
      ->check(CLI::IsMember({"spot", "on-demand"}));
  up->add_option("--cpus", options->cpus, "CPUs that each worker offers (1)")
      ->check(CLI::Range(0.001, 4096.0));
  up->add_option("--port", options->port, "the scheduler's port (any free one)")
      ->check(CLI::Range(1, 65535));
  AddOutputFlag(*up, context);
  OnVerb(*up, context, [&context, options] { return Up(context, *options); });
}

}  // namespace

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
  OnVerb(*down, context, [folder] { return LocalDown(*folder, Say); });
}

}  // namespace baton::client
