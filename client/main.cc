// The command line: global flags, signals, and the verbs of client/command.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "client/command/command.h"

namespace {

// The first Ctrl-C asks the running verb to end in good order, the second one ends the process.
void OnInterrupt(int signal) {
  baton::client::Context::signal.store(signal);
  if (!baton::client::Context::interrupted.exchange(true)) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

int main(int argc, char** argv) {
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_DFL);

  baton::client::Context context;
  CLI::App app{
      "Baton trains models on machines that can vanish.\n\n"
      "Example: baton local up && baton train trainer/specs/lenet.yaml --follow",
      "baton"};
  app.set_version_flag("--version", "baton " BATON_VERSION);
  app.add_option(
      "--address", context.address_flag,
      "the scheduler, HOST:PORT (default: $BATON_ADDRESS, else the `baton context` in use, "
      "else the newest `baton local up`)");
  app.require_subcommand(1);
  app.fallthrough();
  baton::client::AddCommands(app, context);
  // Before any parsing: the words may be half of a line.
  if (argc > 1 && std::string(argv[1]) == "__complete") {
    baton::client::Complete(app, context, {argv + 2, argv + argc});
    return baton::client::kOk;
  }
  try {
    // From the last word to the first, as the parser takes them.
    std::vector<std::string> words =
        baton::client::TakeTrainWords(app, {argv + 1, argv + argc}, &context.words);
    std::reverse(words.begin(), words.end());
    app.parse(std::move(words));
  } catch (const CLI::Success& asked) {
    app.exit(asked);  // --help, --version
  } catch (const CLI::ParseError& error) {
    const std::string unknown = baton::client::UnknownVerb(app);
    if (unknown.empty()) {
      app.exit(error);
    } else {
      std::fprintf(stderr, "baton: %s\n", unknown.c_str());
    }
    return baton::client::kUsage;
  }
  context.FinishStdout();
  return context.exit_code;
}
