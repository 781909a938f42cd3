#include "client/local/cluster.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "client/api.h"
#include "client/folder.h"
#include "client/local/known.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Say = std::function<void(const std::string&)>;

constexpr auto kPoll = std::chrono::milliseconds(20);

// Example prices of one small node, so that costs can be seen before a cloud is in play.
constexpr const char* kSpotPrice = "0.0312";
constexpr const char* kOnDemandPrice = "0.1040";

Json ProcessJson(const Process& process) {
  return {{"pid", process.pid}, {"start_ticks", process.start_ticks}};
}

Process ProcessFrom(const Json& json) {
  return {json.at("pid").get<pid_t>(), json.at("start_ticks").get<uint64_t>()};
}

absl::Status WriteLocal(const LocalCluster& cluster) {
  Json json;
  json["address"] = cluster.address;
  json["cpus"] = cluster.cpus;
  json["scheduler"] = ProcessJson(cluster.scheduler);
  json["workers"] = Json::array();
  for (const LocalWorker& worker : cluster.workers) {
    Json entry = ProcessJson(worker.process);
    entry["name"] = worker.name;
    entry["capacity"] = worker.capacity;
    json["workers"].push_back(entry);
  }
  return WriteFileAtomically(cluster.folder + "/local.json", json.dump(2) + "\n");
}

// "spot-a", "spot-b", "on-demand-a": a letter per capacity, numbers beyond z.
void AddWorkers(const std::vector<std::string>& capacities, LocalCluster* cluster) {
  std::map<std::string, int> seen;
  for (const std::string& capacity : capacities) {
    const int n = seen[capacity]++;
    const std::string suffix =
        n < 26 ? std::string(1, static_cast<char>('a' + n)) : absl::StrCat(n + 1);
    cluster->workers.push_back({absl::StrCat(capacity, "-", suffix), capacity, {}});
  }
}

// The last lines of a program's log: why it did not come up.
std::string LogTail(const std::string& file) {
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return "";
  return text->size() <= 1000 ? *text : text->substr(text->size() - 1000);
}

absl::Status StartSchedulerAt(int port, LocalCluster* cluster) {
  const std::string data = cluster->folder + "/scheduler";
  const std::string log = cluster->folder + "/log/scheduler.log";
  std::error_code ignored;
  fs::remove(data + "/address", ignored);
  BATON_ASSIGN_OR_RETURN(
      cluster->scheduler,
      StartDetached({ProgramFolder() + "/baton-scheduler", "--data-dir", data, "--blob-dir",
                     cluster->folder + "/blobs", "--listen", absl::StrCat("127.0.0.1:", port)},
                    log));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < deadline) {
    const absl::StatusOr<std::string> address = ReadFile(data + "/address");
    if (address.ok() && !address->empty()) {
      cluster->address = std::string(absl::StripAsciiWhitespace(*address));
      return WriteLocal(*cluster);
    }
    if (!IsAlive(cluster->scheduler)) break;
    std::this_thread::sleep_for(kPoll);
  }
  return absl::UnavailableError(
      absl::StrCat("the scheduler did not start; ", log, " ends with:\n", LogTail(log)));
}

absl::Status Start(const LocalCluster& cluster, LocalWorker* worker) {
  const bool spot = worker->capacity == "spot";
  BATON_ASSIGN_OR_RETURN(
      worker->process,
      StartDetached({ProgramFolder() + "/baton-worker",
                     "--scheduler",
                     worker->scheduler.empty() ? cluster.address : worker->scheduler,
                     "--dir",
                     cluster.folder + "/workers/" + worker->name,
                     "--name",
                     worker->name,
                     "--capacity",
                     worker->capacity,
                     "--cpus",
                     absl::StrFormat("%g", cluster.cpus),
                     "--price",
                     spot ? kSpotPrice : kOnDemandPrice,
                     "--on-demand-price",
                     kOnDemandPrice,
                     "--example-prices",
                     "--provider",
                     "local",
                     "--zone",
                     "local",
                     "--metadata-url",
                     worker->metadata_url},
                    absl::StrCat(cluster.folder, "/log/", worker->name, ".log")));
  return absl::OkStatus();
}

absl::Status WaitForWorkers(const LocalCluster& cluster) {
  BATON_ASSIGN_OR_RETURN(auto api, Api::Connect(cluster.address));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::string missing;
  while (std::chrono::steady_clock::now() < deadline) {
    BATON_ASSIGN_OR_RETURN(const std::vector<v1::Node> nodes, api->ListNodes());
    missing.clear();
    for (const LocalWorker& worker : cluster.workers) {
      bool up = false;
      for (const v1::Node& node : nodes) up |= node.name() == worker.name && node.state() != "lost";
      if (!up) missing = worker.name;
      if (!up && !IsAlive(worker.process)) {
        const std::string log = absl::StrCat(cluster.folder, "/log/", worker.name, ".log");
        return absl::UnavailableError(absl::StrCat("worker ", worker.name, " did not start; ", log,
                                                   " ends with:\n", LogTail(log)));
      }
    }
    if (missing.empty()) return absl::OkStatus();
    std::this_thread::sleep_for(kPoll);
  }
  return absl::UnavailableError(absl::StrCat("worker ", missing, " has not joined after 30 s; see ",
                                             cluster.folder, "/log/", missing, ".log"));
}

// Waits up to `limit` for all to end; true when they have.
bool WaitForEnd(const std::vector<Process>& processes, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (true) {
    bool any = false;
    for (const Process& process : processes) any |= IsAlive(process);
    if (!any) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kPoll);
  }
}

void End(const std::vector<Process>& processes) {
  using std::chrono::milliseconds;
  // Workers hand their tasks on at the first signal and hurry at the second.
  for (const auto& [signal, limit] :
       {std::pair(SIGTERM, milliseconds(3000)), std::pair(SIGTERM, milliseconds(3000)),
        std::pair(SIGKILL, milliseconds(3000))}) {
    for (const Process& process : processes) Signal(process, signal);
    if (WaitForEnd(processes, limit)) return;
  }
}

absl::StatusOr<LocalCluster> ReadOrPlan(const LocalOptions& options, const std::string& folder) {
  absl::StatusOr<LocalCluster> cluster = ReadLocal(folder);
  if (!cluster.ok() && !absl::IsNotFound(cluster.status())) return cluster.status();
  if (!cluster.ok()) {
    cluster = LocalCluster{};
    cluster->folder = folder;
    AddWorkers(options.capacities.empty() ? std::vector<std::string>{"spot", "spot", "on-demand"}
                                          : options.capacities,
               &*cluster);
    if (options.cpus > 0) cluster->cpus = options.cpus;
    return cluster;
  }
  std::vector<std::string> have;
  for (const LocalWorker& worker : cluster->workers) have.push_back(worker.capacity);
  const bool other_workers = !options.capacities.empty() && options.capacities != have;
  const bool other_cpus = options.cpus > 0 && options.cpus != cluster->cpus;
  if (other_workers || other_cpus) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder,
                     " holds a cluster of another shape; end it with `baton local down "
                     "--dir ",
                     folder, "` and remove the folder, or give another --dir"));
  }
  return cluster;
}

}  // namespace

absl::StatusOr<LocalCluster> ReadLocal(const std::string& folder_or_empty) {
  std::string folder = folder_or_empty;
  if (folder.empty()) {
    const std::vector<std::string> known = KnownFolders();
    folder = known.empty() ? DefaultLocalFolder() : known.front();
  }
  const absl::StatusOr<std::string> text = ReadFile(folder + "/local.json");
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(absl::StrCat("there is no local cluster in ", folder,
                                            "; start one with `baton local up --dir ", folder,
                                            "`"));
  }
  BATON_RETURN_IF_ERROR(text.status());
  try {
    const Json json = Json::parse(*text);
    LocalCluster cluster;
    cluster.folder = fs::absolute(folder).lexically_normal().string();
    cluster.address = json.at("address");
    cluster.cpus = json.at("cpus");
    cluster.scheduler = ProcessFrom(json.at("scheduler"));
    for (const Json& entry : json.at("workers")) {
      cluster.workers.push_back({entry.at("name"), entry.at("capacity"), ProcessFrom(entry)});
    }
    return cluster;
  } catch (const Json::exception& error) {
    return absl::DataLossError(absl::StrCat(folder, "/local.json is damaged (", error.what(),
                                            "); end its programs and remove the folder"));
  }
}

absl::Status StartScheduler(LocalCluster* cluster) {
  // The port of before, so that workers that outlived their scheduler find it again.
  const size_t colon = cluster->address.rfind(':');
  const int port = colon == std::string::npos ? 0 : std::atoi(&cluster->address[colon + 1]);
  return StartSchedulerAt(port, cluster);
}

absl::Status StartWorker(LocalCluster* cluster, LocalWorker* worker) {
  BATON_RETURN_IF_ERROR(Start(*cluster, worker));
  return WriteLocal(*cluster);
}

absl::StatusOr<LocalCluster> LocalUp(const LocalOptions& options, const Say& say) {
  const std::string folder =
      fs::absolute(options.folder.empty() ? DefaultLocalFolder() : options.folder)
          .lexically_normal()
          .string();
  MadeFolders made;
  BATON_RETURN_IF_ERROR(made.Make(folder, "--dir"));
  const FolderLock lock(folder);
  BATON_ASSIGN_OR_RETURN(LocalCluster cluster, ReadOrPlan(options, folder));
  for (const char* name : {"scheduler", "blobs", "workers", "log"}) {
    BATON_RETURN_IF_ERROR(made.Make(folder + "/" + name, "--dir"));
  }
  made.Keep();
  if (!IsAlive(cluster.scheduler)) {
    BATON_RETURN_IF_ERROR(options.port == 0 ? StartScheduler(&cluster)
                                            : StartSchedulerAt(options.port, &cluster));
    say(absl::StrCat("scheduler  ", cluster.address, "  pid ", cluster.scheduler.pid));
  }
  for (LocalWorker& worker : cluster.workers) {
    if (IsAlive(worker.process)) continue;
    if (options.before_worker) BATON_RETURN_IF_ERROR(options.before_worker(cluster, &worker));
    BATON_RETURN_IF_ERROR(StartWorker(&cluster, &worker));
    say(absl::StrCat("worker     ", worker.name, "  pid ", worker.process.pid));
  }
  BATON_RETURN_IF_ERROR(ChangeKnownFolders([&folder](std::vector<std::string>* known) {
    known->erase(std::remove(known->begin(), known->end(), folder), known->end());
    known->insert(known->begin(), folder);
  }));
  BATON_RETURN_IF_ERROR(WaitForWorkers(cluster));
  return cluster;
}

absl::StatusOr<std::string> LocalDown(const std::string& folder, const Say& say) {
  const absl::StatusOr<LocalCluster> cluster = ReadLocal(folder);
  if (absl::IsNotFound(cluster.status())) {
    say("nothing runs here");
    return std::string();
  }
  BATON_RETURN_IF_ERROR(cluster.status());
  std::vector<Process> workers;
  for (const LocalWorker& worker : cluster->workers) workers.push_back(worker.process);
  End(workers);
  End({cluster->scheduler});
  workers.push_back(cluster->scheduler);
  if (!WaitForEnd(workers, std::chrono::milliseconds(0))) {
    return absl::InternalError(absl::StrCat("some programs of ", cluster->folder,
                                            " are still there; see `baton local status`"));
  }
  // Of a worker that was killed together with its keeper: tasks, which nobody else would end.
  KillMarked(absl::StrCat(contract::kDeadlineFile, "=", cluster->folder, "/workers/"));
  say(absl::StrCat("stopped; jobs and checkpoints stay in ", cluster->folder));
  // Not those either that died by themselves: nobody answers there.
  BATON_RETURN_IF_ERROR(ChangeKnownFolders([&cluster](std::vector<std::string>* known) {
    const auto is_gone = [&cluster](const std::string& other) {
      const absl::StatusOr<LocalCluster> there = ReadLocal(other);
      return other == cluster->folder || !there.ok() || !IsAlive(there->scheduler);
    };
    known->erase(std::remove_if(known->begin(), known->end(), is_gone), known->end());
  }));
  return cluster->folder;
}

absl::StatusOr<LocalCluster> NewestLocal() {
  if (KnownFolders().empty()) return absl::NotFoundError("no local cluster has been started");
  return ReadLocal("");
}

}  // namespace baton::client
