// exec, shell, forward: into a running task.
#include <unistd.h>

#include <cstdio>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/command/command.h"
#include "client/tunnel.h"
#include "common/status.h"

namespace baton::client {
namespace {

struct Flags {
  std::string job;
  int rank = 0;
  std::vector<std::string> argv;
  std::vector<std::string> ports;
};

constexpr int kSignalBase = 128;  // as shells say it

absl::Status Run(Context& context, const Flags& flags, bool terminal) {
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  v1::Command command;
  for (const std::string& word : flags.argv) command.add_argv(word);
  command.set_terminal(terminal);
  BATON_ASSIGN_OR_RETURN(const int code,
                         RunInTask(*api, flags.job, flags.rank, command, Context::interrupted));
  context.exit_code = code < 0 ? kSignalBase - code : code;
  return absl::OkStatus();
}

absl::StatusOr<int> Port(const std::string& text, int least) {
  int port = 0;
  if (absl::SimpleAtoi(text, &port) && port >= least && port < (1 << 16)) return port;
  return absl::InvalidArgumentError(
      absl::StrCat("`", text, "` is no port; write PORT or LOCAL:PORT, such as 8888 or 9000:8888"));
}

absl::Status RunForward(const Context& context, const Flags& flags) {
  const std::vector<std::string> parts = absl::StrSplit(flags.ports[0], ':');
  if (parts.size() > 2) return Port(flags.ports[0], 1).status();
  BATON_ASSIGN_OR_RETURN(const int there, Port(parts.back(), 1));
  BATON_ASSIGN_OR_RETURN(const int here, Port(parts.front(), parts.size() == 2 ? 0 : 1));
  BATON_ASSIGN_OR_RETURN(auto api, context.Connect());
  // A mistake in the job's name is told now, not at the first connection.
  BATON_ASSIGN_OR_RETURN(const v1::Job job, api->GetJob(flags.job));
  return ForwardPort(*api, job.id(), flags.rank, here, there, Context::interrupted, [&](int port) {
    std::printf("127.0.0.1:%d\n", port);
    std::fflush(stdout);
    std::fprintf(stderr, "leads to port %d beside rank %d of %s; Ctrl-C ends it\n", there,
                 flags.rank, job.name().c_str());
  });
}

void AddTarget(CLI::App& verb, Flags& flags) {
  verb.add_option("job", flags.job, "a name, an id or its unique prefix, or latest")->required();
  verb.add_option("--rank", flags.rank, "whose task [0]")->check(NumberFrom(0));
}

}  // namespace

void AddExec(CLI::App& app, Context& context) {
  auto exec_flags = std::make_shared<Flags>();
  CLI::App* exec =
      AddVerb(app, "exec", "Run a command beside a running task: its folder, its environment",
              "baton exec latest -- nvidia-smi");
  AddTarget(*exec, *exec_flags);
  exec->add_option("command", exec_flags->argv, "behind --: the program and its arguments")
      ->required();
  OnVerb(*exec, context, [&context, exec_flags] { return Run(context, *exec_flags, false); });

  auto shell_flags = std::make_shared<Flags>();
  CLI::App* shell = AddVerb(app, "shell", "A shell beside a running task", "baton shell latest");
  AddTarget(*shell, *shell_flags);
  OnVerb(*shell, context, [&context, shell_flags] {
    shell_flags->argv = {"/bin/sh", "-c", "exec $(command -v bash || echo sh)"};
    return Run(context, *shell_flags, true);
  });

  auto forward_flags = std::make_shared<Flags>();
  CLI::App* forward =
      AddVerb(app, "forward", "Reach a port of a running task's node from this machine",
              "baton forward latest 8888");
  AddTarget(*forward, *forward_flags);
  forward->add_option("port", forward_flags->ports, "PORT there, or LOCAL:PORT; LOCAL 0: any")
      ->required()
      ->expected(1);
  OnVerb(*forward, context,
         [&context, forward_flags] { return RunForward(context, *forward_flags); });
}

}  // namespace baton::client
