#include "worker/setup/build.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <map>
#include <system_error>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/file_tree.h"
#include "common/printable.h"
#include "common/status.h"
#include "worker/setup/child.h"
#include "worker/setup/fault.h"
#include "worker/setup/layout.h"
#include "worker/setup/tools.h"
#include "worker/task/package.h"

namespace baton::worker {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

// The scheduler waits an hour for all that is prepared.
constexpr int64_t kBuildMsMax = 55 * 60'000;
constexpr size_t kTailBytes = 8 << 10;
constexpr size_t kLineBytesMax = 300;

// What a write changes of a file.
using Stamp = std::tuple<int64_t, int64_t, int64_t, uint64_t>;

std::map<std::string, Stamp> StampsOf(const std::string& folder) {
  std::map<std::string, Stamp> stamps;
  std::error_code error;
  for (auto at = fs::recursive_directory_iterator(folder, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    struct stat info {};
    if (lstat(at->path().c_str(), &info) != 0) continue;
    if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode)) continue;
    stamps[at->path().string().substr(folder.size() + 1)] = {info.st_size, info.st_mtim.tv_sec,
                                                             info.st_mtim.tv_nsec, info.st_ino};
  }
  return stamps;
}

// What the setup has made or changed in its copy of the package. Unless the environment may refer
// to it (`pip install -e .`), the rest goes: it is in the job's package, which others must not get
// with an environment that they share.
std::vector<std::string> TakeChanges(const std::string& work,
                                     const std::map<std::string, Stamp>& before, bool keeps_all) {
  std::vector<std::string> changed;
  for (const auto& [path, stamp] : StampsOf(work)) {
    const auto was = before.find(path);
    if (was == before.end() || was->second != stamp) {
      changed.push_back(path);
    } else if (!keeps_all) {
      std::error_code ignored;
      fs::remove(fs::path(work) / path, ignored);
    }
  }
  return changed;
}

absl::Status MakeFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("making the folder ", path));
}

std::string ValueOf(const std::vector<std::string>& environment, absl::string_view name) {
  std::string value;
  for (const std::string& variable : environment) {
    const bool is_it = absl::StartsWith(variable, name) && variable.size() > name.size() &&
                       variable[name.size()] == '=';
    if (is_it) value = variable.substr(name.size() + 1);
  }
  return value;
}

// Installers keep what they load below HOME, and uv, conda and renv end where they can't. A worker
// that runs as a service often has a HOME that it may not write to: then their cache is `folder`,
// for this once.
void GiveCache(const std::string& folder, std::vector<std::string>* environment) {
  const std::string home = ValueOf(*environment, "HOME");
  const std::string cache = absl::StrCat(home, "/.cache");
  const std::string place = access(cache.c_str(), F_OK) == 0 ? cache : home;
  if (!home.empty() && access(place.c_str(), W_OK) == 0) return;
  for (const auto& [name, below] :
       {std::pair<const char*, const char*>{"XDG_CACHE_HOME", ""}, {"CONDA_PKGS_DIRS", "/conda"}}) {
    if (ValueOf(*environment, name).empty()) {
      environment->push_back(absl::StrCat(name, "=", folder, below));
    }
  }
}

absl::Status RunStep(const BuildRequest& request, const SetupStep& step,
                     const std::vector<std::string>& environment, int64_t limit_ms) {
  request.say(absl::StrCat("setup: ", Printable(step.title, kLineBytesMax)));
  std::string tail;
  ChildRequest child;
  child.argv = step.argv;
  child.environment = environment;
  child.folder = SetupWorkOf(request.folder);
  child.mark = request.mark;
  child.limit_ms = limit_ms;
  child.cancelled = request.cancelled;
  child.output = [&](absl::string_view bytes) {
    tail.append(bytes.data(), bytes.size());
    if (tail.size() > kTailBytes) tail.erase(0, tail.size() - kTailBytes);
    request.output(bytes);
  };
  const auto code = RunToEnd(child);
  if (absl::IsCancelled(code.status())) return code.status();
  if (!code.ok()) {
    const std::string words = absl::StrCat("`", Printable(step.title, kLineBytesMax),
                                           "` failed: ", code.status().message());
    // What could not even be started is the node's fault.
    return absl::IsDeadlineExceeded(code.status()) ? absl::InvalidArgumentError(words)
                                                   : absl::UnavailableError(words);
  }
  if (*code != 0) return StepFailure(step.title, *code, tail, FaultOfStep(*code, tail));
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> Within(const Surroundings& around,
                                const std::vector<std::string>& environment) {
  std::map<std::string, std::string> variables;
  for (const std::string& variable : environment) {
    const size_t equals = variable.find('=');
    if (equals != std::string::npos)
      variables[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  for (const auto& [name, value] : around.variables) variables[name] = value;
  std::string& path = variables["PATH"];
  if (path.empty()) path = "/usr/local/bin:/usr/bin:/bin";
  if (!around.programs.empty()) path = absl::StrCat(around.programs, ":", path);
  std::vector<std::string> whole;
  whole.reserve(variables.size());
  for (const auto& [name, value] : variables) whole.push_back(absl::StrCat(name, "=", value));
  return whole;
}

absl::StatusOr<EnvironmentFacts> BuildEnvironment(const BuildRequest& request) {
  const auto start = steady_clock::now();
  const auto passed_ms = [start] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - start)
        .count();
  };
  const std::string prefix = PrefixOf(request.folder);
  const std::string work = SetupWorkOf(request.folder);
  BATON_ASSIGN_OR_RETURN(const std::vector<SetupStep> steps,
                         StepsOf(request.plan, request.tools, prefix));
  BATON_RETURN_IF_ERROR(MakeFolder(request.folder));
  // Conda makes its own, and refuses one that is there.
  if (request.plan.installer != Installer::kConda) BATON_RETURN_IF_ERROR(MakeFolder(prefix));
  BATON_RETURN_IF_ERROR(CopyPackage(request.package, work));
  // The effective spec is this job's, and the environment is not.
  RemoveTree(work + "/.baton");
  const std::map<std::string, Stamp> before = StampsOf(work);
  const Surroundings around = SurroundingsOf(request.plan, request.tools, prefix);
  std::vector<std::string> of_commands = request.environment;
  GiveCache(CacheOf(request.folder), &of_commands);
  const std::vector<std::string> environment = Within(around, of_commands);
  std::vector<std::string> beside = request.of_the_node;
  beside.insert(beside.end(), request.environment.begin(), request.environment.end());
  GiveCache(CacheOf(request.folder), &beside);
  const std::vector<std::string> of_installers = Within(around, beside);
  for (const SetupStep& step : steps) {
    BATON_RETURN_IF_ERROR(RunStep(request, step, step.is_the_jobs ? environment : of_installers,
                                  std::max<int64_t>(1, kBuildMsMax - passed_ms())));
  }
  RemoveTree(CacheOf(request.folder));
  BATON_RETURN_IF_ERROR(
      WriteOverlay(request.folder, TakeChanges(work, before, request.plan.covers_all)));
  EnvironmentFacts facts;
  facts.kind = std::string(Name(request.plan.installer));
  facts.digest = request.key;
  facts.source = request.plan.file;
  facts.root = request.folder;
  facts.build_ms = passed_ms();
  const std::string python = FindProgram("python3", environment);
  if (request.plan.installer == Installer::kRenv) {
    facts.packages = RPackages(request.tools.rscript, environment, &facts.r, request.cancelled);
  } else if (!python.empty()) {
    const PythonFacts found = AskPython(python, environment, request.cancelled);
    facts.python = found.version;
    facts.packages = found.packages;
  }
  if (request.cancelled && request.cancelled()) return absl::CancelledError("given up");
  BATON_RETURN_IF_ERROR(WriteFacts(request.folder, facts));
  return facts;
}

}  // namespace baton::worker
