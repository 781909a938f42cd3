#include "client/trainer_program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/local/process.h"
#include "common/atomic_file.h"
#include "common/status.h"

namespace baton::client {
namespace {

constexpr char kProgram[] = "baton-trainer";

std::vector<char*> Argv(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& word : arguments) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  return argv;
}

}  // namespace

absl::StatusOr<std::string> FindTrainer() {
  std::vector<std::string> folders = {ProgramFolder()};
  const char* path = std::getenv("PATH");
  for (const auto& folder : absl::StrSplit(path == nullptr ? "" : path, ':', absl::SkipEmpty())) {
    folders.emplace_back(folder);
  }
  for (const std::string& folder : folders) {
    const std::string program = absl::StrCat(folder, "/", kProgram);
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("this needs ", kProgram, ", which is neither in ", folders[0],
                   " nor on the PATH; build it with deploy/build.sh and keep it beside `baton`"));
}

absl::Status BecomeTrainer(const std::vector<std::string>& arguments) {
  BATON_ASSIGN_OR_RETURN(const std::string program, FindTrainer());
  ::execv(program.c_str(), Argv(program, arguments).data());
  return ErrnoStatus(errno, absl::StrCat("start ", program));
}

absl::StatusOr<TrainerRun> RunTrainer(const std::vector<std::string>& arguments) {
  BATON_ASSIGN_OR_RETURN(const std::string program, FindTrainer());
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions, nullptr,
                                   Argv(program, arguments).data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  TrainerRun run;
  std::array<char, 4096> bytes{};
  while (failed == 0) {
    const ssize_t got = ::read(pipe[0], bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    run.output.append(bytes.data(), static_cast<size_t>(got));
  }
  ::close(pipe[0]);
  if (failed != 0) return ErrnoStatus(failed, absl::StrCat("start ", program));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return run;
}

}  // namespace baton::client
