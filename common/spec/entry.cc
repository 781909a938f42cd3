#include "common/spec/entry.h"

#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace baton::spec {
namespace {

// nbconvert writes the notebook with its outputs, also the ones before a cell that failed, into
// the job's outputs; a failed cell then is a failed job.
constexpr char kRunNotebook[] = R"sh(notebook=$1
if ! jupyter nbconvert --version >/dev/null 2>&1; then
  echo "baton: $notebook needs jupyter with nbconvert and a kernel on this node: pip install nbconvert ipykernel" >&2
  exit 127
fi
exec jupyter nbconvert --to notebook --execute --output-dir "$BATON_OUTPUT_DIR" "$notebook")sh";

// "#!/usr/bin/env -S bash -l" and "#!/bin/bash -l" are {"bash", "-l"}; {} without such a line, or
// for what is no shell.
std::vector<std::string> ShellOf(absl::string_view first_line) {
  static const std::set<std::string> shells = {"sh", "bash", "dash", "ksh", "zsh"};
  if (!absl::ConsumePrefix(&first_line, "#!")) return {};
  std::vector<std::string> words =
      absl::StrSplit(first_line, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
  size_t shell = 0;
  if (!words.empty() && absl::EndsWith(words[0], "/env")) {
    shell = words.size() > 1 && words[1] == "-S" ? 2 : 1;
  }
  words.erase(words.begin(), words.begin() + static_cast<int64_t>(std::min(shell, words.size())));
  if (words.empty()) return {};
  words[0] = words[0].substr(words[0].rfind('/') + 1);
  if (shells.count(words[0]) == 0) return {};
  return words;
}

}  // namespace

ScriptKind KindOfScript(absl::string_view path) {
  if (absl::EndsWith(path, ".py")) return ScriptKind::kPython;
  if (absl::EndsWith(path, ".R") || absl::EndsWith(path, ".r")) return ScriptKind::kR;
  if (absl::EndsWith(path, ".sh") || absl::EndsWith(path, ".bash") ||
      absl::EndsWith(path, ".slurm") || absl::EndsWith(path, ".sbatch")) {
    return ScriptKind::kShell;
  }
  if (absl::EndsWith(path, ".ipynb")) return ScriptKind::kNotebook;
  return ScriptKind::kOther;
}

bool IsSpecName(absl::string_view path) {
  const std::string name = absl::AsciiStrToLower(path);
  return absl::EndsWith(name, ".yaml") || absl::EndsWith(name, ".yml") ||
         absl::EndsWith(name, ".json");
}

std::vector<std::string> EntryCommand(const std::string& script,
                                      const std::vector<std::string>& arguments,
                                      absl::string_view first_line) {
  // A name that begins with a dash would be an option.
  const std::string name = absl::StartsWith(script, "-") ? absl::StrCat("./", script) : script;
  std::vector<std::string> command;
  switch (KindOfScript(script)) {
    case ScriptKind::kPython:
      command = {"python3", name};
      break;
    case ScriptKind::kR:
      command = {"Rscript", name};
      break;
    case ScriptKind::kShell:
      command = ShellOf(first_line);
      if (command.empty()) command = {"bash"};
      command.push_back(name);
      break;
    case ScriptKind::kNotebook:
      command = {"sh", "-c", kRunNotebook, "notebook", name};
      break;
    case ScriptKind::kOther:
      command = {absl::StrCat("./", script)};
      break;
  }
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

std::vector<std::string> ProgramWords(const JobSpec& spec) {
  std::vector<std::string> words = spec.command;
  if (!spec.flags_as_arguments) return words;
  const auto params = nlohmann::ordered_json::parse(spec.params_json, nullptr, false);
  if (!params.is_object()) return words;
  for (const auto& [name, value] : params.items()) {
    if (value.is_null()) continue;
    words.push_back(
        absl::StrCat("--", name, "=", value.is_string() ? value.get<std::string>() : value.dump()));
  }
  return words;
}

}  // namespace baton::spec
