#include "worker/setup/node_environment.h"

#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/printable.h"
#include "common/status.h"
#include "worker/setup/build.h"
#include "worker/setup/child.h"
#include "worker/setup/container.h"
#include "worker/setup/fault.h"
#include "worker/setup/tools.h"

namespace baton::worker {
namespace {

constexpr size_t kTailBytes = 8 << 10;

std::string ValueOf(const std::string& name, const std::vector<std::string>& environment) {
  const std::string start = name + "=";
  for (const std::string& variable : environment) {
    if (absl::StartsWith(variable, start)) return variable.substr(start.size());
  }
  return "";
}

bool HasPython(const std::string& prefix) {
  return access(absl::StrCat(prefix, "/bin/python").c_str(), X_OK) == 0 ||
         access(absl::StrCat(prefix, "/bin/python3").c_str(), X_OK) == 0;
}

bool IsCondaPrefix(const std::string& prefix) {
  return access(absl::StrCat(prefix, "/conda-meta").c_str(), F_OK) == 0 || HasPython(prefix);
}

NodeEnvironment At(const std::string& prefix, const std::string& use, const char* variable,
                   const std::vector<std::string>& environment) {
  NodeEnvironment found;
  found.around.programs = absl::StrCat(prefix, "/bin");
  found.around.variables = {{variable, prefix}, {"BATON_ENVIRONMENT_DIR", prefix}};
  found.facts.kind = use.substr(0, use.find(':'));
  found.facts.source = use;
  found.facts.root = prefix;
  const std::vector<std::string> within = Within(found.around, environment);
  const std::string python = FindProgram("python3", within);
  if (!python.empty()) {
    const PythonFacts facts = AskPython(python, within);
    found.facts.python = facts.version;
    found.facts.packages = facts.packages;
  }
  return found;
}

}  // namespace

std::vector<std::string> CondaPlaces(const std::string& name, const std::string& conda,
                                     const std::string& home) {
  std::vector<std::string> bases;
  // BASE/condabin/conda, BASE/bin/conda
  if (const size_t slash = conda.rfind('/'); slash != std::string::npos && slash > 0) {
    const size_t above = conda.rfind('/', slash - 1);
    if (above != std::string::npos && above > 0) bases.push_back(conda.substr(0, above));
  }
  for (const char* base : {"miniforge3", "mambaforge", "miniconda3", "anaconda3", "micromamba"}) {
    if (!home.empty()) bases.push_back(absl::StrCat(home, "/", base));
  }
  for (const char* base : {"conda", "miniforge3", "miniconda3", "anaconda3"}) {
    bases.push_back(absl::StrCat("/opt/", base));
  }
  std::vector<std::string> places;
  if (!home.empty() && name != "base") places.push_back(absl::StrCat(home, "/.conda/envs/", name));
  for (const std::string& base : bases) {
    places.push_back(name == "base" ? base : absl::StrCat(base, "/envs/", name));
  }
  return places;
}

absl::StatusOr<NodeEnvironment> FindNodeEnvironment(const std::string& use,
                                                    const std::vector<std::string>& environment) {
  const std::string home = ValueOf("HOME", environment);
  if (absl::StartsWith(use, "venv:")) {
    std::string prefix = use.substr(5);
    if (absl::StartsWith(prefix, "~/")) prefix = absl::StrCat(home, prefix.substr(1));
    if (HasPython(prefix)) return At(prefix, use, "VIRTUAL_ENV", environment);
    return absl::FailedPreconditionError(
        absl::StrCat("the node has no virtual environment ", prefix,
                     " (no bin/python in it); make it there "
                     "(python3 -m venv ",
                     prefix, "), or let `require` name nodes that have it"));
  }
  const std::string name = use.substr(use.find(':') + 1);
  std::string conda;
  for (const char* program : {"micromamba", "mamba", "conda"}) {
    const std::string at = FindProgram(program, environment);
    if (!at.empty()) conda = at;
  }
  const std::vector<std::string> places =
      absl::StartsWith(name, "/") ? std::vector<std::string>{name} : CondaPlaces(name, conda, home);
  for (const std::string& place : places) {
    if (IsCondaPrefix(place)) return At(place, use, "CONDA_PREFIX", environment);
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "the node has no conda environment '", name, "'; looked for ", absl::StrJoin(places, ", "),
      "; make it there (conda create -n ", name, " ..), or let `require` name nodes that have it"));
}

absl::StatusOr<NodeEnvironment> PrepareImage(const ImageRequest& request) {
  NodeEnvironment found;
  for (const std::string& name : ContainerRuntimes()) {
    found.around.runtime = FindProgram(name, request.environment);
    if (!found.around.runtime.empty()) break;
  }
  const std::string& runtime = found.around.runtime;
  if (runtime.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the node has nothing that runs containers, which image ", request.image,
                     " needs; install podman, docker or apptainer there (apt install podman)"));
  }
  found.around.image = request.image;
  found.facts.kind = "image";
  found.facts.source = request.image;
  ChildRequest child;
  child.environment = request.environment;
  child.folder = "/";
  child.mark = request.mark;
  child.cancelled = request.cancelled;
  child.argv = ImageId(runtime, request.image);
  if (child.argv.empty()) return found;
  std::string id;
  auto known = ReadOutput(child, &id);
  if (absl::IsCancelled(known.status())) return known.status();
  if (!known.ok() || *known != 0) {
    const std::string title = absl::StrCat("pull ", request.image);
    request.say(absl::StrCat("setup: ", title));
    std::string tail;
    child.argv = ImagePull(runtime, request.image);
    child.output = [&](absl::string_view bytes) {
      tail.append(bytes.data(), bytes.size());
      if (tail.size() > kTailBytes) tail.erase(0, tail.size() - kTailBytes);
      request.output(bytes);
    };
    BATON_ASSIGN_OR_RETURN(const int code, RunToEnd(child));
    if (code != 0) return StepFailure(title, code, tail, FaultOfPull(code, tail));
    child.argv = ImageId(runtime, request.image);
    id.clear();
    known = ReadOutput(child, &id);
    if (absl::IsCancelled(known.status())) return known.status();
  }
  if (known.ok() && *known == 0) {
    const size_t end = id.find_first_of(" \r\n");
    found.facts.digest = Printable(absl::StripPrefix(id.substr(0, end), "sha256:"), 128);
  }
  return found;
}

}  // namespace baton::worker
