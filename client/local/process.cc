#include "client/local/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"
#include "common/status.h"

namespace baton::client {
namespace {

// The fields of /proc/PID/stat after the name, which may itself hold blanks and brackets: field 3
// (state) is the first. Empty when there is no such process.
std::vector<std::string> StatFields(pid_t pid) {
  const absl::StatusOr<std::string> text = ReadFile(absl::StrCat("/proc/", pid, "/stat"));
  if (!text.ok()) return {};
  const size_t end = text->rfind(')');
  if (end == std::string::npos) return {};
  return absl::StrSplit(text->substr(end + 1), ' ', absl::SkipEmpty());
}

uint64_t StartTicks(pid_t pid) {
  const std::vector<std::string> fields = StatFields(pid);
  uint64_t ticks = 0;
  if (fields.size() < 20 || fields[0] == "Z" || !absl::SimpleAtoi(fields[19], &ticks)) return 0;
  return ticks;
}

// In the child between fork and exec: only calls that are safe there.
[[noreturn]] void Become(char* const* argv, int log) {
  ::setsid();
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execv(argv[0], argv);
  ::_exit(127);
}

}  // namespace

absl::StatusOr<Process> StartDetached(const std::vector<std::string>& argv,
                                      const std::string& log_file) {
  if (!std::filesystem::exists(argv[0])) {
    return absl::NotFoundError(absl::StrCat(argv[0], " is missing; build it first"));
  }
  const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return ErrnoStatus(errno, absl::StrCat("open ", log_file));
  std::vector<char*> raw;
  for (const std::string& word : argv) raw.push_back(const_cast<char*>(word.c_str()));
  raw.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) Become(raw.data(), log);
  const int fork_error = errno;
  ::close(log);
  if (pid < 0) return ErrnoStatus(fork_error, absl::StrCat("start ", argv[0]));
  return Process{pid, StartTicks(pid)};
}

Process FindProcess(pid_t pid) { return {pid, StartTicks(pid)}; }

bool IsAlive(const Process& process) {
  if (process.pid <= 0) return false;
  // A child of this very command stays a zombie until it is waited for.
  ::waitpid(process.pid, nullptr, WNOHANG);
  const uint64_t ticks = StartTicks(process.pid);
  return ticks != 0 && ticks == process.start_ticks;
}

void Signal(const Process& process, int signal) {
  if (IsAlive(process)) ::kill(process.pid, signal);
}

pid_t ParentOf(pid_t pid) {
  const std::vector<std::string> fields = StatFields(pid);
  int parent = 0;
  if (fields.size() < 2 || !absl::SimpleAtoi(fields[1], &parent)) return 0;
  return parent;
}

std::vector<pid_t> AllPids() {
  std::vector<pid_t> pids;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    int pid = 0;
    if (absl::SimpleAtoi(entry.path().filename().string(), &pid)) pids.push_back(pid);
  }
  return pids;
}

void KillMarked(const std::string& mark) {
  for (const pid_t pid : AllPids()) {
    if (pid == ::getpid()) continue;
    // Not there when the process is gone, or another user's.
    const absl::StatusOr<std::string> variables = ReadFile(absl::StrCat("/proc/", pid, "/environ"));
    if (!variables.ok()) continue;
    const std::string text = std::string(1, '\0') + *variables;
    if (text.find(std::string(1, '\0') + mark) != std::string::npos) ::kill(pid, SIGKILL);
  }
}

std::string ProgramFolder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
}

}  // namespace baton::client
