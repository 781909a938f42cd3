#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "client/command/command.h"
#include "client/sweep_api.h"

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

// Half a second is what a person at the Tab key bears.
constexpr int kPatienceUs = 500'000;

// A scheduler that hangs or is not there must not hang the shell: what was printed until then is
// it.
void EndSoon() {
  std::fflush(stdout);
  std::signal(SIGALRM, [](int) { ::_exit(0); });
  itimerval timer = {};
  timer.it_value.tv_usec = kPatienceUs;
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

// By hand, for half a line can't be parsed; its last word is not typed to the end.
void TakeAddress(const std::vector<std::string>& words, Context* context) {
  const std::string flag = "--address";
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == flag && i + 2 < words.size()) context->address_flag = words[i + 1];
    if (absl::StartsWith(words[i], flag + "=")) {
      context->address_flag = words[i].substr(flag.size() + 1);
    }
  }
}

std::vector<std::string> JobsThatFit(const Context& context) {
  const auto api = context.Connect();
  if (!api.ok()) return {};
  const auto jobs = (*api)->ListJobs();
  if (!jobs.ok()) return {};
  std::vector<std::string> names = {"latest"};
  std::set<std::string> seen;
  for (const v1::Job& job : *jobs) {
    if (seen.insert(job.name()).second) names.push_back(job.name());
  }
  return names;
}

std::vector<std::string> SweepsThatFit(const Context& context) {
  const auto api = context.Connect();
  if (!api.ok()) return {};
  const auto sweeps = SweepApi(**api).List();
  if (!sweeps.ok()) return {};
  std::vector<std::string> names = {"latest"};
  std::set<std::string> seen;
  for (const v1::Sweep& sweep : *sweeps) {
    if (seen.insert(sweep.name()).second) names.push_back(sweep.name());
  }
  return names;
}

std::vector<std::string> NodesThatFit(const Context& context) {
  const auto api = context.Connect();
  if (!api.ok()) return {};
  const auto nodes = (*api)->ListNodes();
  if (!nodes.ok()) return {};
  std::vector<std::string> names;
  for (const v1::Node& node : *nodes) names.push_back(node.name());
  return names;
}

// Whether `word` is a flag of the verb that takes the next word.
bool TakesAWord(const CLI::App& verb, const std::string& word) {
  if (word.size() < 2 || word[0] != '-') return false;
  const CLI::Option* option = verb.get_option_no_throw(word);
  if (option == nullptr && verb.get_parent() != nullptr) {
    return TakesAWord(*verb.get_parent(), word);  // --address
  }
  return option != nullptr && option->get_items_expected_min() > 0;
}

}  // namespace

void Complete(CLI::App& app, Context& context, const std::vector<std::string>& words) {
  CLI::App* at = &app;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const std::vector<CLI::App*> verbs = at->get_subcommands(nullptr);
    const auto named = [&](const CLI::App* verb) { return verb->get_name() == words[i]; };
    const auto next = std::find_if(verbs.begin(), verbs.end(), named);
    if (next != verbs.end()) at = *next;
  }
  const std::string prefix = words.empty() ? "" : words.back();
  if (words.size() > 1 && TakesAWord(*at, words[words.size() - 2])) return;
  for (const CLI::App* verb : at->get_subcommands(nullptr)) {
    if (!verb->get_group().empty()) PrintIfFits(verb->get_name(), prefix);
  }
  if (!prefix.empty() && prefix[0] == '-') {
    for (const CLI::Option* option : at->get_options()) {
      for (const std::string& name : option->get_lnames()) PrintIfFits("--" + name, prefix);
    }
    return;
  }
  const bool jobs =
      at->get_option_no_throw("job") != nullptr || at->get_option_no_throw("jobs") != nullptr;
  const bool sweeps = at->get_option_no_throw("sweep") != nullptr;
  if (!jobs && !sweeps && at->get_option_no_throw("node") == nullptr) return;
  EndSoon();
  TakeAddress(words, &context);
  for (const std::string& name : jobs     ? JobsThatFit(context)
                                 : sweeps ? SweepsThatFit(context)
                                          : NodesThatFit(context)) {
    PrintIfFits(name, prefix);
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
