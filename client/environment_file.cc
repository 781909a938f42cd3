#include "client/environment_file.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"

namespace baton::client {
namespace {

const artifact::SourceFile* Find(const PackagePlan& plan, const std::string& path) {
  const auto at = std::find_if(plan.files.begin(), plan.files.end(),
                               [&](const auto& file) { return file.path == path; });
  return at == plan.files.end() ? nullptr : &*at;
}

// The most exact first.
constexpr const char* kPythons[] = {"uv.lock", "requirements.txt", "environment.yml",
                                    "environment.yaml"};
constexpr char kOfR[] = "renv.lock";
// Of tools that nodes do not run.
constexpr const char* kOthers[] = {"poetry.lock", "Pipfile.lock", "pixi.lock", "pdm.lock",
                                   "conda-lock.yml"};

bool IsOfR(const std::vector<std::string>& command) {
  const std::string program = command[0].substr(command[0].rfind('/') + 1);
  if (program == "Rscript" || program == "R") return true;
  return absl::EndsWithIgnoreCase(program, ".R");
}

bool InstallsUnasked(const spec::JobSpec& spec) {
  return !spec.command.empty() && spec.environment.use.empty() && spec.environment.image.empty();
}

}  // namespace

std::string EnvironmentFile(const PackagePlan& plan) {
  const spec::JobSpec& spec = plan.spec;
  if (!InstallsUnasked(spec)) return "";
  std::vector<std::string> names(std::begin(kPythons), std::end(kPythons));
  if (IsOfR(spec.command)) names.insert(names.begin(), kOfR);
  for (const std::string& name : names) {
    if (Find(plan, name) != nullptr) return name;
  }
  return "";
}

std::string PassedOver(const PackagePlan& plan) {
  if (!InstallsUnasked(plan.spec)) return "";
  const std::string taken = EnvironmentFile(plan);
  std::vector<std::string> words;
  const auto add = [&](const char* name, const std::string& why) {
    if (name != taken && Find(plan, name) != nullptr) {
      words.push_back(absl::StrCat(name, " (", why, ")"));
    }
  };
  add(kOfR, "the program is none of R's");
  for (const char* name : kPythons) add(name, absl::StrCat(taken, " goes before it"));
  for (const char* name : kOthers) add(name, "nodes do not install from it");
  return absl::StrJoin(words, ", ");
}

int CountRequirements(const std::string& text) {
  int count = 0;
  bool goes_on = false;  // the line before ended with a backslash
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    const bool starts =
        !goes_on && !line.empty() && line[0] != '#' &&
        (line[0] != '-' || absl::StartsWith(line, "-e") || absl::StartsWith(line, "--editable"));
    goes_on = absl::EndsWith(line, "\\");
    if (starts) ++count;
  }
  return count;
}

std::string EnvironmentNote(const PackagePlan& plan) {
  const spec::Environment& wanted = plan.spec.environment;
  const std::string file = EnvironmentFile(plan);
  std::string note;
  if (!file.empty()) {
    note = absl::StrCat("installs ", file);
    const auto text = ReadFile(Find(plan, file)->from);
    if (file == "requirements.txt" && text.ok()) {
      const int count = CountRequirements(*text);
      absl::StrAppend(&note, " (", count, count == 1 ? " package)" : " packages)");
    }
    absl::StrAppend(&note, " on the nodes");
  }
  if (!wanted.setup.empty()) {
    const size_t count = wanted.setup.size();
    absl::StrAppend(&note, note.empty() ? "runs " : ", then runs ", count,
                    count == 1 ? " setup command" : " setup commands");
  }
  if (!note.empty()) absl::StrAppend(&note, ", once for the same content");
  if (!file.empty()) absl::StrAppend(&note, "; environment: none turns the installing off");
  const std::string others = PassedOver(plan);
  if (!others.empty()) absl::StrAppend(&note, note.empty() ? "" : "; ", "passed over: ", others);
  return note;
}

}  // namespace baton::client
