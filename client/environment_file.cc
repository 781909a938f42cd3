#include "client/environment_file.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"

namespace baton::client {
namespace {

const artifact::SourceFile* Find(const PackagePlan& plan, const std::string& path) {
  const auto at = std::find_if(plan.files.begin(), plan.files.end(),
                               [&](const auto& file) { return file.path == path; });
  return at == plan.files.end() ? nullptr : &*at;
}

bool IsOfR(const std::vector<std::string>& command) {
  const std::string program = command[0].substr(command[0].rfind('/') + 1);
  if (program == "Rscript" || program == "R") return true;
  return absl::EndsWithIgnoreCase(program, ".R");
}

}  // namespace

std::string EnvironmentFile(const PackagePlan& plan) {
  const spec::JobSpec& spec = plan.spec;
  if (spec.command.empty() || !spec.environment.use.empty() || !spec.environment.image.empty()) {
    return "";
  }
  std::vector<std::string> names = {"uv.lock", "requirements.txt", "environment.yml",
                                    "environment.yaml"};
  if (IsOfR(spec.command)) names.insert(names.begin(), "renv.lock");
  for (const std::string& name : names) {
    if (Find(plan, name) != nullptr) return name;
  }
  return "";
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
  if (note.empty()) return "";
  absl::StrAppend(&note, ", once for the same content");
  if (!file.empty()) absl::StrAppend(&note, "; environment: none turns the installing off");
  return note;
}

}  // namespace baton::client
