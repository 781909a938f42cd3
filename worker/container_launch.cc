#include "worker/container_launch.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "worker/setup/child.h"
#include "worker/setup/container.h"
#include "worker/setup/fault.h"

namespace baton::worker {
namespace {

constexpr int64_t kRemovalMsMax = 20'000;

std::string ContainerName(const TaskKey& key) {
  return absl::StrCat("baton-", key.job, "-", key.attempt, "-", key.rank, "-", key.token);
}

// Where the links of `path` lead: a mount of a link's own path would be of what it is.
std::string RealPath(const std::string& path) {
  char real[PATH_MAX];
  return realpath(path.c_str(), real) == nullptr ? path : real;
}

}  // namespace

void EnterContainer(const Wanted& task, const PreparedTask& prepared, const std::string& socket,
                    const std::vector<std::string>& own, Launch* launch) {
  const Surroundings& around = prepared.surroundings;
  if (around.runtime.empty()) return;
  ContainerRun run;
  run.runtime = around.runtime;
  run.image = around.image;
  run.name = ContainerName(task.key);
  run.command = launch->argv;
  run.environment = launch->environment;
  run.work = launch->folder;
  run.writable = {prepared.places.folder};
  if (!socket.empty()) run.writable.push_back(socket.substr(0, socket.rfind('/')));
  if (!prepared.data_folder.empty()) run.readable.push_back(prepared.data_folder);
  if (!prepared.resume_folder.empty()) run.readable.push_back(RealPath(prepared.resume_folder));
  run.has_gpus = !task.gpus.empty();
  run.user = static_cast<int>(geteuid());
  run.group = static_cast<int>(getegid());
  launch->argv = ContainerCommand(run);
  // For the runtime, not for the program in it. One that hands on all that it has goes without: the
  // image is here already.
  if (!KeepsItsEnvironment(run.runtime)) return;
  for (const std::string& variable : RuntimeVariables(own)) {
    const std::string start = variable.substr(0, variable.find('=') + 1);
    const bool is_the_jobs =
        std::any_of(run.environment.begin(), run.environment.end(),
                    [&](const std::string& one) { return absl::StartsWith(one, start); });
    if (!is_the_jobs) launch->environment.push_back(variable);
  }
}

std::string RuntimeFailed(const std::string& runtime, int code, const std::string& last_line) {
  if (!IsRuntimesFault(runtime, code, last_line)) return "";
  return absl::StrCat(runtime, " did not start the container (exit code ", code, "): ", last_line);
}

void RemoveContainer(const TaskKey& key, const Surroundings& around) {
  if (around.runtime.empty()) return;
  ChildRequest request;
  request.argv = ContainerRemoval(around.runtime, ContainerName(key));
  if (request.argv.empty()) return;
  for (const char* name : {"PATH", "HOME"}) {
    const char* value = getenv(name);
    if (value != nullptr) request.environment.push_back(absl::StrCat(name, "=", value));
  }
  std::vector<std::string> own;
  for (char** at = environ; *at != nullptr; ++at) own.emplace_back(*at);
  for (std::string& variable : RuntimeVariables(own)) {
    request.environment.push_back(std::move(variable));
  }
  request.folder = "/";
  request.limit_ms = kRemovalMsMax;
  // One that has ended is gone already: only what could not be asked is news.
  const auto code = RunToEnd(request);
  if (!code.ok()) {
    LogWarning(
        absl::StrCat("removing the container of job ", key.job, ": ", code.status().message()));
  }
}

}  // namespace baton::worker
