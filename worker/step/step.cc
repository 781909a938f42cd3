#include "worker/step/step.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "common/contract.h"

extern char** environ;

namespace baton::worker {
namespace {

constexpr int64_t kKillAfterMs = 5'000;
constexpr size_t kLineBytesMax = 64 << 10;

int64_t NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// A folder that the script has made on its own node alone.
void MakeFolders(const std::string& path, const std::string& below) {
  if (path.compare(0, below.size(), below) != 0) return;
  for (size_t at = below.size(); at != std::string::npos; at = path.find('/', at + 1)) {
    if (at > 0) (void)mkdir(path.substr(0, at).c_str(), 0700);
  }
  (void)mkdir(path.c_str(), 0700);
}

[[noreturn]] void Fail(const std::string& what) {
  const int error = errno;
  fprintf(stderr, "srun: %s: %s\n", what.c_str(), strerror(error));
  _exit(error == ENOENT ? 127 : 126);
}

}  // namespace

bool IsStopping() { return access(EnvironmentValue(contract::kDeadlineFile).c_str(), F_OK) == 0; }

bool EndsOthers(int code) { return code != 0 && code != contract::kExitResumeMe && !IsStopping(); }

LocalStep::LocalStep(const StepOrder& order, size_t part,
                     const std::vector<std::string>& environment)
    : order_(order), part_(part), environment_(environment) {}

LocalStep::~LocalStep() {
  for (const auto& [descriptor, output] : outputs_) close(descriptor);
}

void LocalStep::Start(bool reads) {
  MakeFolders(order_.folder, order_.paths.task);
  for (int local = 0; local < order_.plan.parts[part_].tasks; ++local) {
    StartTask(local, reads && local == 0);
  }
}

void LocalStep::StartTask(int local, bool reads) {
  StepOrder own;
  own.set = TaskVariables(order_.plan, part_, local, order_.step, order_.cpus);
  std::vector<std::string> variables = WithChanges(environment_, own);
  std::vector<char*> environment, argv;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  std::vector<std::string> words = order_.argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  int pipe[2] = {-1, -1};
  if (order_.label && pipe2(pipe, O_CLOEXEC) != 0) pipe[0] = pipe[1] = -1;
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);  // whom its signals reach
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    if (!reads) {
      const int null = open("/dev/null", O_RDONLY);
      if (null >= 0) dup2(null, 0);
    }
    if (pipe[1] >= 0) {
      dup2(pipe[1], 1);
      dup2(pipe[1], 2);
    }
    if (!order_.folder.empty() && chdir(order_.folder.c_str()) != 0) Fail(order_.folder);
    environ = environment.data();
    execvp(argv[0], argv.data());
    Fail(argv[0]);
  }
  if (pipe[1] >= 0) close(pipe[1]);
  if (pid < 0) {
    fprintf(stderr, "srun: a task can't be started: %s\n", strerror(errno));
    if (pipe[0] >= 0) close(pipe[0]);
    code_ = std::max(code_, 126);
    return;
  }
  setpgid(pid, pid);  // also here: a signal may come before the child has done so
  pids_[pid] = pipe[0];
  if (pipe[0] < 0) return;
  fcntl(pipe[0], F_SETFL, O_NONBLOCK);
  outputs_[pipe[0]].task = order_.plan.parts[part_].first + local;
}

bool LocalStep::OnEnd(pid_t pid, int status) {
  const auto at = pids_.find(pid);
  if (at == pids_.end()) return false;
  const int descriptor = at->second;
  pids_.erase(at);
  // What it has started and left behind is of no use without it.
  kill(-pid, SIGKILL);
  // Whom the step itself ends says nothing, also where it catches SIGTERM and ends with a code of
  // its own: the code is of who failed first.
  if (!killing_) code_ = std::max(code_, CodeOf(status));
  if (descriptor >= 0) {
    OnOutput(descriptor);
    const auto output = outputs_.find(descriptor);
    if (output != outputs_.end()) {
      if (!output->second.line.empty()) Print(output->second);
      outputs_.erase(output);
      close(descriptor);
    }
  }
  return true;
}

void LocalStep::Signal(int signal) {
  for (const auto& [pid, descriptor] : pids_) kill(-pid, signal);
}

void LocalStep::Kill() {
  if (killing_) return;
  killing_ = true;
  kill_ms_ = NowMs() + kKillAfterMs;
  Signal(SIGTERM);
}

int LocalStep::NextMs() const {
  if (kill_ms_ == 0 || done()) return -1;
  return static_cast<int>(std::max<int64_t>(0, kill_ms_ - NowMs()));
}

void LocalStep::OnTime() {
  if (kill_ms_ == 0 || NowMs() < kill_ms_) return;
  kill_ms_ = 0;
  Signal(SIGKILL);
}

std::vector<int> LocalStep::outputs() const {
  std::vector<int> descriptors;
  for (const auto& [descriptor, output] : outputs_) descriptors.push_back(descriptor);
  return descriptors;
}

void LocalStep::OnOutput(int descriptor) {
  const auto at = outputs_.find(descriptor);
  if (at == outputs_.end()) return;
  Output& output = at->second;
  char buffer[16 << 10];
  for (;;) {
    const ssize_t n = read(descriptor, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) {  // it has closed its output, and may live on
      if (!output.line.empty()) Print(output);
      outputs_.erase(at);
      close(descriptor);
      for (auto& [pid, of] : pids_) of = of == descriptor ? -1 : of;
      return;
    }
    if (n < 0) return;
    for (ssize_t i = 0; i < n; ++i) {
      if (buffer[i] != '\n' && output.line.size() < kLineBytesMax) {
        output.line += buffer[i];
        continue;
      }
      Print(output);
      output.line = buffer[i] == '\n' ? "" : std::string(1, buffer[i]);
    }
  }
}

void LocalStep::Print(const Output& output) const {
  const int width = static_cast<int>(std::to_string(order_.plan.tasks - 1).size());
  char label[32];
  snprintf(label, sizeof(label), "%*d: ", width, output.task);
  const std::string line = label + output.line + "\n";
  for (size_t at = 0; at < line.size();) {
    const ssize_t n = write(1, line.data() + at, line.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    at += static_cast<size_t>(n);
  }
}

int OpenSignals(std::initializer_list<int> others) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  for (const int other : others) sigaddset(&set, other);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int NextSignal(int descriptor) {
  signalfd_siginfo info;
  if (read(descriptor, &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) return 0;
  return static_cast<int>(info.ssi_signo);
}

std::optional<Ended> NextEnd() {
  Ended ended;
  ended.pid = waitpid(-1, &ended.status, WNOHANG);
  if (ended.pid <= 0) return std::nullopt;
  return ended;
}

std::vector<int> WaitReadable(const std::vector<int>& descriptors, int timeout_ms) {
  std::vector<pollfd> polled;
  for (const int descriptor : descriptors) polled.push_back({descriptor, POLLIN, 0});
  std::vector<int> ready;
  if (poll(polled.data(), polled.size(), timeout_ms) <= 0) return ready;
  for (const pollfd& one : polled) {
    if (one.revents != 0) ready.push_back(one.fd);
  }
  return ready;
}

int CodeOf(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string EnvironmentValue(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string> OwnVariables() {
  std::vector<std::string> variables;
  for (char** at = environ; *at != nullptr; ++at) variables.emplace_back(*at);
  return variables;
}

NodePaths OwnPaths() {
  const std::string deadline = EnvironmentValue(contract::kDeadlineFile);
  return {deadline.substr(0, deadline.rfind('/')), EnvironmentValue(contract::kDataDir),
          EnvironmentValue("BATON_ENVIRONMENT_DIR")};
}

std::string KeyOf(int step, const std::string& what) {
  return "slurm/" + std::to_string(step) + "/" + what;
}

}  // namespace baton::worker
