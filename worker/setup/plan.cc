#include "worker/setup/plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace baton::worker {
namespace {

constexpr int kDepthMax = 4;

// Files that tools read without being told.
constexpr absl::string_view kDescriptions[] = {
    "CMakeLists.txt", "Cargo.lock",  "Cargo.toml",        "DESCRIPTION",  "GNUmakefile",
    "Makefile",       "NAMESPACE",   "Pipfile",           "Pipfile.lock", "configure",
    "makefile",       "meson.build", "package-lock.json", "package.json", "poetry.lock",
    "pyproject.toml", "setup.cfg",   "setup.py",          "uv.lock"};

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string BaseOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

bool IsWordCharacter(char c) {
  return absl::ascii_isalnum(c) || absl::StrContains("_./-+@%~", absl::string_view(&c, 1));
}

std::vector<std::string> WordsOf(absl::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    if (IsWordCharacter(c)) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, ""));
    }
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

// Without "." and ".." parts; nothing for a path that leaves the folder. "." is the folder itself.
bool Normal(const std::string& path, std::string* out) {
  if (path.empty() || path[0] == '/') return false;
  std::vector<std::string> parts;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(path, '/'))) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (parts.empty()) {
      return false;
    } else {
      parts.pop_back();
    }
  }
  out->clear();
  for (const std::string& part : parts) absl::StrAppend(out, out->empty() ? "" : "/", part);
  return true;
}

class Coverage {
 public:
  Coverage(const PackedFolder& folder, EnvironmentPlan* plan) : folder_(folder), plan_(plan) {}

  // A word of a command, or of a file in `base`.
  void Word(const std::string& word, const std::string& base, int depth) {
    if (word == "." || word == "./") {
      plan_->covers_all = true;
      return;
    }
    // Who runs a file of a subfolder may stand there, or at the top.
    std::string top, beside;
    const bool from_top = Normal(word, &top);
    const bool from_base =
        !base.empty() && word[0] != '/' && Normal(absl::StrCat(base, "/", word), &beside);
    if (!from_top && !from_base) {
      plan_->covers_all |= absl::StartsWith(word, "..");
      return;
    }
    if (from_top && !top.empty()) Path(top, depth);
    if (from_base && !beside.empty()) Path(beside, depth);
  }

  void Text(const std::string& text, const std::string& base, int depth) {
    for (const std::string& word : WordsOf(text)) Word(word, base, depth);
  }

  // pip's format: a line's options name files, and so do words that look like paths.
  void Requirements(const std::string& text, const std::string& base, int depth) {
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      const size_t comment = line.find('#');
      if (comment == 0 || (comment != absl::string_view::npos && line[comment - 1] == ' ')) {
        line = line.substr(0, comment);
      }
      line = absl::StripAsciiWhitespace(line);
      while (absl::ConsumePrefix(&line, "- ")) line = absl::StripLeadingAsciiWhitespace(line);
      const bool is_option = absl::StartsWith(line, "-");
      for (const std::string& word : WordsOf(line)) {
        if (is_option || absl::StrContains(word, "/") || absl::StartsWith(word, ".")) {
          Word(word, base, depth);
        }
      }
    }
  }

  // uv.lock: of the packages that lie beside it; the project itself is not installed.
  void UvLock(const std::string& text) {
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      for (const absl::string_view key : {"editable = \"", "directory = \"", "path = \""}) {
        const size_t at = line.find(std::string(key));
        if (at == absl::string_view::npos) continue;
        const absl::string_view rest = line.substr(at + key.size());
        const std::string word(rest.substr(0, rest.find('"')));
        if (word != ".") Word(word, "", 0);
      }
    }
  }

  void Path(const std::string& path, int depth) {
    if (folder_.files.count(path) > 0) {
      if (!seen_.insert(path).second) return;
      plan_->covered.push_back(path);
      if (depth >= kDepthMax) return;
      const std::string text = folder_.read(path);
      if (absl::StrContains(text, '\0')) return;
      const bool requirements = absl::EndsWith(path, ".txt") || absl::EndsWith(path, ".in") ||
                                absl::EndsWith(path, ".yml");
      if (requirements) {
        Requirements(text, FolderOf(path), depth + 1);
      } else {
        Text(text, FolderOf(path), depth + 1);
      }
      return;
    }
    const std::string below = absl::StrCat(path, "/");
    for (auto at = folder_.files.lower_bound(below);
         at != folder_.files.end() && absl::StartsWith(*at, below); ++at) {
      if (seen_.insert(*at).second) plan_->covered.push_back(*at);
    }
  }

 private:
  const PackedFolder& folder_;
  EnvironmentPlan* const plan_;
  std::set<std::string> seen_;
};

Installer InstallerOf(const std::string& file) {
  const std::string name = BaseOf(file);
  if (name == "uv.lock") return Installer::kUvLock;
  if (name == "renv.lock") return Installer::kRenv;
  if (name == "environment.yml" || name == "environment.yaml") return Installer::kConda;
  if (absl::StartsWith(name, "requirements") && absl::EndsWith(name, ".txt")) {
    return Installer::kRequirements;
  }
  return Installer::kNone;
}

}  // namespace

bool MakesEnvironment(const TaskSpec& spec) {
  return !spec.command.empty() && (!spec.setup.empty() || !spec.environment_file.empty());
}

absl::StatusOr<EnvironmentPlan> PlanEnvironment(const TaskSpec& spec, const PackedFolder& folder) {
  EnvironmentPlan plan;
  plan.file = spec.environment_file;
  plan.setup = spec.setup;
  Coverage coverage(folder, &plan);
  if (!plan.file.empty()) {
    plan.installer = InstallerOf(plan.file);
    if (plan.installer == Installer::kNone) {
      return absl::InvalidArgumentError(
          absl::StrCat("nothing is installed from ", plan.file,
                       "; requirements.txt, uv.lock, environment.yml and renv.lock are known"));
    }
    if (folder.files.count(plan.file) == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(plan.file, " is to be installed and is not in the package"));
    }
    if (plan.installer == Installer::kUvLock) {
      plan.covered.push_back(plan.file);
      coverage.Path("pyproject.toml", kDepthMax);
      coverage.UvLock(folder.read(plan.file));
    } else {
      // A lock file of R names no files of the folder.
      coverage.Path(plan.file, plan.installer == Installer::kRenv ? kDepthMax : 0);
    }
  }
  for (const std::string& command : plan.setup) coverage.Text(command, "", 0);
  if (!plan.setup.empty()) {
    for (const absl::string_view name : kDescriptions) coverage.Path(std::string(name), 0);
  }
  if (plan.covers_all) plan.covered.assign(folder.files.begin(), folder.files.end());
  std::sort(plan.covered.begin(), plan.covered.end());
  plan.covered.erase(std::unique(plan.covered.begin(), plan.covered.end()), plan.covered.end());
  return plan;
}

absl::string_view Name(Installer installer) {
  switch (installer) {
    case Installer::kRequirements:
      return "requirements";
    case Installer::kUvLock:
      return "uv";
    case Installer::kConda:
      return "conda";
    case Installer::kRenv:
      return "renv";
    case Installer::kNone:
      break;
  }
  return "setup";
}

}  // namespace baton::worker
