#include "client/chaos/errand.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "client/local/process.h"
#include "common/atomic_file.h"
#include "common/status.h"

namespace baton::client::chaos {
namespace {

// Takes what there is; false at the end.
bool Take(int fd, std::string* into) {
  std::array<char, 16 << 10> bytes{};
  const ssize_t got = ::read(fd, bytes.data(), bytes.size());
  if (got < 0 && errno == EINTR) return true;
  if (got <= 0) return false;
  into->append(bytes.data(), static_cast<size_t>(got));
  return true;
}

void TakeBoth(int out, int err, Errand* errand) {
  std::array<pollfd, 2> wanted = {pollfd{out, POLLIN, 0}, pollfd{err, POLLIN, 0}};
  while (wanted[0].fd >= 0 || wanted[1].fd >= 0) {
    if (::poll(wanted.data(), wanted.size(), -1) < 0) continue;
    if (wanted[0].revents != 0 && !Take(out, &errand->out)) wanted[0].fd = -1;
    if (wanted[1].revents != 0 && !Take(err, &errand->err)) wanted[1].fd = -1;
  }
}

}  // namespace

absl::StatusOr<Errand> RunBaton(const std::vector<std::string>& words) {
  const std::string program = absl::StrCat(ProgramFolder(), "/baton");
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
  if (::pipe2(err.data(), O_CLOEXEC) != 0) {
    const int error = errno;
    ::close(out[0]);
    ::close(out[1]);
    return ErrnoStatus(error, "pipe");
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  ::close(err[1]);
  Errand errand;
  if (failed == 0) TakeBoth(out[0], err[0], &errand);
  ::close(out[0]);
  ::close(err[0]);
  if (failed != 0) return ErrnoStatus(failed, absl::StrCat("start ", program));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  errand.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return errand;
}

}  // namespace baton::client::chaos
