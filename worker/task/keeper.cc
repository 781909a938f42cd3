#include "worker/task/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "worker/task/keeper_protocol.h"
#include "worker/task/notice_to.h"
#include "worker/task/process_tree.h"
#include "worker/task/rank_launcher.h"
#include "worker/task/spawn.h"

namespace baton::worker {
namespace {

constexpr int kClosingPollMs = 5;
// A killed process that still has not gone (an uninterruptible wait) is reported as gone.
constexpr int64_t kClosingMsMax = 10'000;

int64_t MonotonicMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

struct KeptTask {
  uint64_t id = 0;
  pid_t root = 0;
  std::string mark;
  std::pair<dev_t, ino_t> output{};  // the pipe that is its own alone; zeros: none
  std::set<std::tuple<pid_t, unsigned long long, int>> terminated;  // were sent that signal
  bool closing = false;  // the root has ended; the rest is being killed
  int32_t code = 0;
  int64_t closing_since_ms = 0;
};

class Keeper {
 public:
  explicit Keeper(int socket, int signals, int null)
      : socket_(socket), frames_(socket), signals_(signals), null_(null) {}

  void Run() {
    for (;;) {
      pollfd polled[2] = {{socket_, POLLIN, 0}, {signals_, POLLIN, 0}};
      const int n = poll(polled, 2, AnyClosing() ? kClosingPollMs : -1);
      if (n < 0 && errno != EINTR) return;
      if (polled[1].revents != 0) DrainSignals();
      Reap();
      for (auto at = tasks_.begin(); at != tasks_.end();) {
        at = at->second.closing && Close(at->second) ? tasks_.erase(at) : std::next(at);
      }
      if (polled[0].revents == 0) continue;
      if (!frames_.Read()) return;
      while (std::optional<Frame> frame = frames_.Next()) Handle(*frame);
    }
  }

 private:
  void DrainSignals() {
    signalfd_siginfo info;
    while (read(signals_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    }
  }

  bool AnyClosing() const {
    for (const auto& [id, task] : tasks_) {
      if (task.closing) return true;
    }
    return false;
  }

  void Handle(const Frame& frame) {
    if (frame.type == FrameType::kStart) return Start(frame);
    const auto at = tasks_.find(frame.task);
    if (at == tasks_.end() || at->second.closing) return;
    if (frame.type == FrameType::kTerminate) Terminate(at->second, frame.code);
    if (frame.type == FrameType::kKill) Kill(at->second);
  }

  void Start(const Frame& frame) {
    const int log = frames_.TakeDescriptor();
    const Spawned spawned =
        Spawn({frame.argv, frame.environment, frame.folder, null_, log >= 0 ? log : null_});
    struct stat output {};
    const bool has_output = log >= 0 && fstat(log, &output) == 0 && S_ISFIFO(output.st_mode);
    if (log >= 0) close(log);
    Frame answer;
    answer.task = frame.task;
    if (spawned.pid < 0) {
      answer.type = FrameType::kStartFailed;
      answer.code = spawned.error_number;
      answer.text = spawned.what;
    } else {
      KeptTask& task = tasks_[frame.task];
      task.id = frame.task;
      task.root = spawned.pid;
      task.mark = frame.mark;
      if (has_output) task.output = {output.st_dev, output.st_ino};
      answer.type = FrameType::kStarted;
      answer.code = spawned.pid;
    }
    frames_.Send(answer);
  }

  // The task's processes: the tree of its root, and those that left it and came to us: they are in
  // its session still, carry its mark in their environment, or hold its output open.
  std::vector<Process> ProcessesOf(const KeptTask& task) {
    const std::vector<Process> all = AllProcesses();
    const pid_t self = getpid();
    std::vector<Process> found;
    for (const Process& process : all) {
      const bool is_root = !task.closing && process.pid == task.root;
      if (!is_root && !(process.parent == self && Escaped(task, process))) continue;
      if (process.state != 'Z') found.push_back(process);
      for (const Process& below : Descendants(process.pid, all)) {
        if (below.state != 'Z') found.push_back(below);
      }
    }
    return found;
  }

  // Whether a child of ours that is no task's root belongs to `task`. With no other task there is
  // nobody else it could belong to.
  bool Escaped(const KeptTask& task, const Process& process) {
    for (const auto& [id, other] : tasks_) {
      if (!other.closing && other.root == process.pid) return false;
    }
    return process.session == task.root || tasks_.size() == 1 ||
           HasVariable(process.pid, task.mark) ||
           (task.output.second != 0 && HasOpen(process.pid, task.output.first, task.output.second));
  }

  // Who does not catch the signal dies of it. So a shell that waits for a program which saves its
  // state is not sent it: the shell's end would be the task's, and the program's. Nor is who starts
  // ranks, as long as it has some: torchrun would end them at once, those too that train on.
  void Terminate(KeptTask& task, int32_t code) {
    const int signal = std::abs(code);
    const std::vector<Process> processes = ProcessesOf(task);
    const std::set<pid_t> launchers = RankLaunchers(processes);
    bool somebody_catches = false;
    for (const Process& process : processes) {
      if (launchers.count(process.pid) > 0 || !Catches(process.pid, signal)) continue;
      // What ends the job for good is for everybody.
      if (code > 0 && !IsForNotice(EnvironmentOf(process.pid))) continue;
      somebody_catches = true;
      const bool is_new = task.terminated.insert({process.pid, process.start, signal}).second;
      if (is_new) kill(process.pid, signal);
    }
    if (somebody_catches || code > 0) return;
    for (const Process& process : processes) kill(process.pid, signal);
  }

  void Kill(KeptTask& task) {
    if (!task.closing) kill(-task.root, SIGKILL);
    for (const Process& process : ProcessesOf(task)) kill(process.pid, SIGKILL);
  }

  // Collects what has ended. A task's root is looked at before it is reaped: until then its group's
  // number can't be another's.
  void Reap() {
    for (;;) {
      siginfo_t info{};
      if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
      for (auto& [id, task] : tasks_) {
        if (task.closing || task.root != info.si_pid) continue;
        kill(-task.root, SIGKILL);
        task.closing = true;
        task.code = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
        task.closing_since_ms = MonotonicMs();
      }
      waitpid(info.si_pid, nullptr, WNOHANG);
    }
  }

  bool HasStrangers() {
    std::set<pid_t> roots;
    for (const auto& [id, task] : tasks_) {
      if (!task.closing) roots.insert(task.root);
    }
    for (const pid_t child : OwnChildren()) {
      if (roots.count(child) == 0) return true;
    }
    return false;
  }

  // True once nothing of the task is left and its end is reported. The children are a short list,
  // read first: most tasks leave nobody behind.
  bool Close(const KeptTask& task) {
    if (HasStrangers()) {
      const std::vector<Process> left = ProcessesOf(task);
      for (const Process& process : left) kill(process.pid, SIGKILL);
      if (!left.empty() && MonotonicMs() - task.closing_since_ms < kClosingMsMax) return false;
    }
    Frame answer;
    answer.type = FrameType::kExited;
    answer.task = task.id;
    answer.code = task.code;
    frames_.Send(answer);
    return true;
  }

  const int socket_;
  FrameSocket frames_;
  const int signals_;
  const int null_;
  std::map<uint64_t, KeptTask> tasks_;
};

}  // namespace

int RunKeeper(int socket) {
  // Out of the worker's session: a Ctrl-C at a terminal is the worker's to handle.
  setsid();
  prctl(PR_SET_NAME, "baton-keeper");
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return 1;
  for (const int ignored : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGQUIT}) signal(ignored, SIG_IGN);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_SETMASK, &child, nullptr);
  const int signals = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (signals < 0 || null < 0) return 1;
  Keeper(socket, signals, null).Run();
  KillAllDescendants();
  return 0;
}

}  // namespace baton::worker
