#include "worker/setup/tools.h"

#include <gnu/libc-version.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "worker/setup/child.h"

namespace baton::worker {
namespace {

constexpr int64_t kAskMsMax = 60'000;

// Lines: version, platform, prefix, whether it has venv, whether it has pip to hand on, the folders
// of packages, packages.
constexpr char kAskPython[] = R"(
import importlib.util, platform, sys, sysconfig
print(platform.python_version())
print(sysconfig.get_platform())
print(sys.base_prefix)
print("yes" if importlib.util.find_spec("venv") else "")
print("yes" if importlib.util.find_spec("ensurepip") else "")
print(":".join(sys.path))
try:
    from importlib import metadata
    seen = {(str(d.metadata["Name"]), str(d.version)) for d in metadata.distributions()}
except Exception:
    seen = set()
for name, version in sorted(seen):
    print(name + "==" + version)
)";

// Lines: version, whether it has renv, packages.
constexpr char kAskR[] =
    "cat(as.character(getRversion()), '\\n', sep = '');"
    "cat(if (requireNamespace('renv', quietly = TRUE)) 'yes' else '', '\\n', sep = '');"
    "p <- installed.packages()[, c('Package', 'Version'), drop = FALSE];"
    "cat(sort(unique(paste(p[, 1], p[, 2], sep = '=='))), sep = '\\n')";

std::vector<std::string> Ask(std::vector<std::string> argv,
                             const std::vector<std::string>& environment,
                             const std::function<bool()>& cancelled) {
  ChildRequest request;
  request.argv = std::move(argv);
  request.environment = environment;
  request.folder = "/";
  request.limit_ms = kAskMsMax;
  request.cancelled = cancelled;
  std::string output;
  const auto code = ReadOutput(request, &output);
  if (!code.ok() || *code != 0) return {};
  std::vector<std::string> lines = absl::StrSplit(output, '\n');
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

// "debian 12", from os-release(5).
std::string SystemName() {
  const auto text = ReadFile("/etc/os-release");
  std::string id, version;
  if (!text.ok()) return "";
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (absl::StartsWith(line, "ID=")) id = std::string(line.substr(3));
    if (absl::StartsWith(line, "VERSION_ID=")) version = std::string(line.substr(11));
  }
  return absl::StrCat(id, " ", version);
}

std::vector<std::string> Behind(const std::vector<std::string>& lines, size_t first) {
  if (lines.size() <= first) return {};
  return {lines.begin() + static_cast<int64_t>(first), lines.end()};
}

}  // namespace

std::string FindProgram(const std::string& name, const std::vector<std::string>& environment) {
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  for (const std::string& variable : environment) {
    if (absl::StartsWith(variable, "PATH=")) path = variable.substr(5);
  }
  for (const absl::string_view folder : absl::StrSplit(path, ':', absl::SkipEmpty())) {
    const std::string program = absl::StrCat(folder, "/", name);
    if (access(program.c_str(), X_OK) == 0) return program;
  }
  return "";
}

NodeTools LookForTools(const EnvironmentPlan& plan, const std::vector<std::string>& environment,
                       const std::function<bool()>& cancelled) {
  NodeTools tools;
  utsname machine{};
  if (uname(&machine) == 0) tools.machine = machine.machine;
  tools.libc = absl::StrCat("glibc ", gnu_get_libc_version());
  tools.system = SystemName();
  tools.uv = FindProgram("uv", environment);
  for (const char* name : {"micromamba", "mamba", "conda"}) {
    const std::string found = FindProgram(name, environment);
    if (!found.empty()) tools.conda = found;
  }
  const bool needs_python = plan.installer == Installer::kRequirements ||
                            plan.installer == Installer::kUvLock || !plan.setup.empty();
  if (needs_python) tools.python = FindProgram("python3", environment);
  if (!tools.python.empty()) {
    const PythonFacts facts = AskPython(tools.python, environment, cancelled);
    if (facts.version.empty()) tools.python.clear();
    tools.python_version = facts.version;
    tools.python_platform = facts.platform;
    tools.python_prefix = facts.prefix;
    tools.python_has_venv = facts.has_venv;
    tools.python_has_pip = facts.has_pip;
    tools.python_packages = Sha256Hex(absl::StrJoin(facts.packages, "\n"));
  }
  if (plan.installer == Installer::kRenv) {
    tools.rscript = FindProgram("Rscript", environment);
    if (!tools.rscript.empty()) {
      const std::vector<std::string> lines =
          Ask({tools.rscript, "--vanilla", "-e", kAskR}, environment, cancelled);
      if (lines.size() >= 2) {
        tools.r_version = lines[0];
        tools.r_has_renv = !lines[1].empty();
      }
    }
  }
  return tools;
}

PythonFacts AskPython(const std::string& python, const std::vector<std::string>& environment,
                      const std::function<bool()>& cancelled) {
  constexpr size_t kLines = 6;
  // Isolated: a module of the current folder is not the one that is meant.
  const std::vector<std::string> lines =
      Ask({python, "-I", "-c", kAskPython}, environment, cancelled);
  PythonFacts facts;
  if (lines.size() < kLines) return facts;
  facts.version = lines[0];
  facts.platform = lines[1];
  facts.prefix = lines[2];
  facts.has_venv = !lines[3].empty();
  facts.has_pip = !lines[4].empty();
  facts.folders = absl::StrSplit(lines[5], ':', absl::SkipEmpty());
  facts.packages = Behind(lines, kLines);
  return facts;
}

std::vector<std::string> RPackages(const std::string& rscript,
                                   const std::vector<std::string>& environment,
                                   std::string* version, const std::function<bool()>& cancelled) {
  const std::vector<std::string> lines =
      Ask({rscript, "--vanilla", "-e", kAskR}, environment, cancelled);
  if (lines.empty()) return {};
  *version = lines[0];
  return Behind(lines, 2);
}

}  // namespace baton::worker
