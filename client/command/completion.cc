#include <algorithm>
#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/command/command.h"

namespace baton::client {
namespace {

// Completion asks the program itself, so that it can't go stale.
// clang-format off
constexpr char kBash[] = R"sh(_baton() {
  local IFS=$'\n'
  COMPREPLY=($(baton __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o filenames -F _baton baton
)sh";

constexpr char kZsh[] = R"sh(#compdef baton
_baton() {
  local -a found
  found=(${(f)"$(baton __complete "${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( ${#found} )); then compadd -a found; else _files; fi
}
compdef _baton baton
)sh";

constexpr char kFish[] =
    R"sh(complete -c baton -a '(baton __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
)sh";
// clang-format on

void PrintIfFits(const std::string& word, const std::string& prefix) {
  if (word.rfind(prefix, 0) == 0) std::printf("%s\n", word.c_str());
}

}  // namespace

void Complete(CLI::App& app, const std::vector<std::string>& words) {
  CLI::App* at = &app;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const std::vector<CLI::App*> verbs = at->get_subcommands(nullptr);
    const auto named = [&](const CLI::App* verb) { return verb->get_name() == words[i]; };
    const auto next = std::find_if(verbs.begin(), verbs.end(), named);
    if (next != verbs.end()) at = *next;
  }
  const std::string prefix = words.empty() ? "" : words.back();
  for (const CLI::App* verb : at->get_subcommands(nullptr)) {
    if (!verb->get_group().empty()) PrintIfFits(verb->get_name(), prefix);
  }
  if (prefix.empty() || prefix[0] != '-') return;
  for (const CLI::Option* option : at->get_options()) {
    for (const std::string& name : option->get_lnames()) PrintIfFits("--" + name, prefix);
  }
}

void AddCompletion(CLI::App& app, Context& context) {
  CLI::App* verb = AddVerb(app, "completion", "Print a completion script for bash, zsh or fish",
                           "source <(baton completion bash)");
  auto shell = std::make_shared<std::string>();
  verb->add_option("shell", *shell, "bash, zsh or fish")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  OnVerb(*verb, context, [shell] {
    const char* script = *shell == "zsh" ? kZsh : *shell == "fish" ? kFish : kBash;
    std::fputs(script, stdout);
    return absl::OkStatus();
  });
}

}  // namespace baton::client
