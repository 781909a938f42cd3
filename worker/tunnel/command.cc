#include "worker/tunnel/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"
#include "common/status.h"
#include "worker/task/process_tree.h"
#include "worker/task/spawn.h"

namespace baton::worker {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLook{10};
constexpr milliseconds kHangUpGrace{1000};
// For what a command printed last, should another process hold its output open.
constexpr milliseconds kOutputGrace{1000};
constexpr size_t kPieceBytes = 32 << 10;
// As shells say it.
constexpr int kNotFound = 127, kCannotRun = 126;

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

// Both ends of what the command reads and prints. With a terminal all three are one.
struct Ends {
  Fd child_in, child_out, child_err;
  Fd in, out, err;  // ours
};

void SetWindow(int terminal, const v1::WindowSize& size) {
  winsize window{};
  window.ws_row = static_cast<unsigned short>(size.rows());
  window.ws_col = static_cast<unsigned short>(size.columns());
  ioctl(terminal, TIOCSWINSZ, &window);
}

absl::StatusOr<Ends> OpenTerminal(const v1::WindowSize& size) {
  Ends ends;
  ends.in = Fd(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  char name[64] = {};
  if (ends.in.get() < 0 || grantpt(ends.in.get()) != 0 || unlockpt(ends.in.get()) != 0 ||
      ptsname_r(ends.in.get(), name, sizeof(name)) != 0) {
    return ErrnoStatus(errno, "open a terminal");
  }
  ends.child_in = Fd(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (ends.child_in.get() < 0) return ErrnoStatus(errno, "open a terminal");
  ends.child_out = Fd(fcntl(ends.child_in.get(), F_DUPFD_CLOEXEC, 0));
  ends.out = Fd(fcntl(ends.in.get(), F_DUPFD_CLOEXEC, 0));
  SetWindow(ends.in.get(), size);
  return ends;
}

absl::StatusOr<Ends> OpenPipes() {
  Ends ends;
  int in[2], out[2], err[2];
  if (pipe2(in, O_CLOEXEC) != 0) return ErrnoStatus(errno, "make a pipe");
  ends.child_in = Fd(in[0]);
  ends.in = Fd(in[1]);
  if (pipe2(out, O_CLOEXEC) != 0) return ErrnoStatus(errno, "make a pipe");
  ends.out = Fd(out[0]);
  ends.child_out = Fd(out[1]);
  if (pipe2(err, O_CLOEXEC) != 0) return ErrnoStatus(errno, "make a pipe");
  ends.err = Fd(err[0]);
  ends.child_err = Fd(err[1]);
  // A command that reads nothing must not hold up whoever writes to it.
  fcntl(ends.in.get(), F_SETFL, O_NONBLOCK);
  return ends;
}

// The task's first process; 0: there is none.
pid_t FirstProcess(const std::string& mark) {
  const Process* first = nullptr;
  const std::vector<Process> all = AllProcesses();
  for (const Process& process : all) {
    if (process.state == 'Z' || (first != nullptr && process.start >= first->start)) continue;
    if (HasVariable(process.pid, mark)) first = &process;
  }
  return first == nullptr ? 0 : first->pid;
}

// What the task's first process was started with, so also what its keeper and spec have set.
absl::StatusOr<std::vector<std::string>> EnvironmentOf(const TaskPlaces& places,
                                                       const v1::Command& command) {
  const pid_t pid = FirstProcess(TaskMark(places));
  const auto text = pid == 0 ? absl::StatusOr<std::string>(absl::NotFoundError("no process"))
                             : ReadFile(absl::StrCat("/proc/", pid, "/environ"));
  if (!text.ok()) {
    return absl::FailedPreconditionError("the task's program does not run at the moment");
  }
  std::vector<std::string> environment = absl::StrSplit(*text, '\0', absl::SkipEmpty());
  if (command.terminal() && !command.term().empty()) {
    std::erase_if(environment, [](const std::string& v) { return absl::StartsWith(v, "TERM="); });
    environment.push_back("TERM=" + command.term());
  }
  return environment;
}

// Until its end or an error, which a terminal's end is too.
void CarryOut(int fd, bool error, Line& line, const std::atomic<bool>& stop) {
  std::vector<char> piece(kPieceBytes);
  while (!stop) {
    pollfd ready{fd, POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(kLook.count())) <= 0) continue;
    const ssize_t got = read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || !line.WriteData({piece.data(), static_cast<size_t>(got)}, error)) return;
  }
}

void CarryIn(Fd& fd, bool terminal, Line& line) {
  v1::TunnelFrame frame;
  while (line.Read(&frame)) {
    if (frame.has_window()) SetWindow(fd.get(), frame.window());
    // A terminal has no end of its own: its line discipline makes one of this character.
    if (frame.end() && terminal) WriteAll(fd.get(), "\x04", line);
    if (frame.end() && !terminal) fd.Close();
    // Who reads no more has ended, or will be seen to.
    if (!frame.data().empty() && fd.get() >= 0) WriteAll(fd.get(), frame.data(), line);
  }
}

// Its exit code; -N: ended by signal N.
int WaitFor(pid_t pid, const Line& line) {
  auto killed = std::chrono::steady_clock::time_point::max();
  while (true) {
    int status = 0;
    const pid_t reaped = waitpid(pid, &status, WNOHANG);
    if (reaped == pid) {
      return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    }
    if (reaped < 0 && errno != EINTR) return -SIGKILL;  // somebody else reaped it
    const auto now = std::chrono::steady_clock::now();
    if (line.gone() && killed == std::chrono::steady_clock::time_point::max()) {
      kill(-pid, SIGHUP);
      killed = now;
    } else if (line.task_ended() || (line.gone() && now - killed > kHangUpGrace)) {
      kill(-pid, SIGKILL);
    }
    std::this_thread::sleep_for(kLook);
  }
}

absl::Status Run(const v1::Command& command, const TaskPlaces& places, Line& line) {
  SpawnRequest request;
  request.argv.assign(command.argv().begin(), command.argv().end());
  request.folder = places.work();
  BATON_ASSIGN_OR_RETURN(request.environment, EnvironmentOf(places, command));
  BATON_ASSIGN_OR_RETURN(Ends ends,
                         command.terminal() ? OpenTerminal(command.window()) : OpenPipes());
  request.input = ends.child_in.get();
  request.output = ends.child_out.get();
  request.error = ends.child_err.get();
  request.terminal = command.terminal();
  const Spawned spawned = Spawn(request);
  if (spawned.pid < 0) {
    line.WriteData(absl::StrCat(request.argv.empty() ? "" : request.argv[0], ": ", spawned.what,
                                ": ", std::strerror(spawned.error_number), "\n"),
                   true);
    line.Exit(spawned.error_number == ENOENT ? kNotFound : kCannotRun);
    return absl::OkStatus();
  }
  ends.child_in.Close();
  ends.child_out.Close();
  ends.child_err.Close();
  std::atomic<bool> stop{false};
  std::atomic<int> carrying{ends.err.get() >= 0 ? 2 : 1};
  const auto carry = [&](int fd, bool error) {
    CarryOut(fd, error, line, stop);
    --carrying;
  };
  std::thread out(carry, ends.out.get(), false);
  std::thread err;
  if (ends.err.get() >= 0) err = std::thread(carry, ends.err.get(), true);
  std::thread in([&] { CarryIn(ends.in, command.terminal(), line); });
  const int code = WaitFor(spawned.pid, line);
  const auto end = std::chrono::steady_clock::now() + kOutputGrace;
  while (carrying > 0 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(kLook);
  stop = true;
  out.join();
  if (err.joinable()) err.join();
  // What it left in its group is of no use without it.
  kill(-spawned.pid, SIGKILL);
  line.Exit(code);
  in.join();  // the scheduler ends the stream behind the last frame
  return absl::OkStatus();
}

}  // namespace

void RunCommand(const v1::Command& command, const TaskPlaces& places, Line& line) {
  const absl::Status run = Run(command, places, line);
  if (!run.ok()) line.Fail(std::string(run.message()));
}

}  // namespace baton::worker
