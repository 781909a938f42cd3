#include "worker/task/launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/log.h"
#include "common/status.h"
#include "worker/task/keeper_protocol.h"
#include "worker/task/process_tree.h"

extern char** environ;

namespace baton::worker {
namespace {

struct KeeperProcess {
  pid_t pid = -1;
  int socket = -1;
};

absl::StatusOr<KeeperProcess> StartKeeper(const std::string& program) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return ErrnoStatus(errno, "a socket for the keeper");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  char name[] = "baton-keeper";
  char* argv[] = {name, nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), &actions, &attributes, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return ErrnoStatus(error, absl::StrCat("cannot start the keeper ", program,
                                           "; is baton-keeper beside baton-worker?"));
  }
  return KeeperProcess{pid, ends[0]};
}

void WaitFor(pid_t pid) {
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

struct Launcher::State {
  std::string program;
  LaunchEvents events;
  std::thread reader;
  std::atomic<pid_t> pid{-1};
  std::atomic<bool> ending{false};

  // Two locks, never held together: the reader must go on while a sender waits for the keeper to
  // read, or both ends would wait for each other.
  std::mutex send_mutex;
  // Changed under send_mutex; the reader takes it without, since a sender may hold that for long.
  std::atomic<int> socket{-1};
  std::unique_ptr<FrameSocket> out;  // guarded by send_mutex
  std::mutex tasks_mutex;
  std::set<uint64_t> tasks;  // handed over, end not told; guarded by tasks_mutex

  void Adopt(const KeeperProcess& keeper) {
    std::lock_guard<std::mutex> lock(send_mutex);
    socket = keeper.socket;
    out = std::make_unique<FrameSocket>(keeper.socket);
    pid = keeper.pid;
  }

  void Tell(const Frame& frame) {
    switch (frame.type) {
      case FrameType::kStarted:
        return events.started(frame.task, frame.code);
      case FrameType::kStartFailed:
        return events.start_failed(frame.task, frame.code, frame.text);
      case FrameType::kExited:
        return events.exited(frame.task, frame.code);
      default:
        LogWarning("the keeper sent a frame that only the worker sends");
    }
  }

  void ReadUntilGone() {
    FrameSocket in(socket);
    while (in.Read()) {
      while (std::optional<Frame> frame = in.Next()) {
        if (frame->type != FrameType::kStarted) {
          std::lock_guard<std::mutex> lock(tasks_mutex);
          tasks.erase(frame->task);
        }
        if (!ending) Tell(*frame);
      }
    }
  }

  std::vector<uint64_t> TakeTasks() {
    std::lock_guard<std::mutex> lock(tasks_mutex);
    std::vector<uint64_t> taken(tasks.begin(), tasks.end());
    tasks.clear();
    return taken;
  }

  // The keeper is gone. Its tasks' first processes die with it (PDEATHSIG), the others become our
  // children.
  void Replace() {
    {
      std::lock_guard<std::mutex> lock(send_mutex);
      out.reset();
      close(socket);
      socket = -1;
    }
    kill(pid, SIGKILL);
    KillAllDescendants();
    LogError("the keeper died, and with it its tasks; starting another");
    events.keeper_lost(TakeTasks());
    for (;;) {
      absl::StatusOr<KeeperProcess> keeper = StartKeeper(program);
      if (keeper.ok()) return Adopt(*keeper);
      LogError(std::string(keeper.status().message()));
      // What was handed over while there was none.
      events.keeper_lost(TakeTasks());
      if (ending) return;
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
  }

  void Run() {
    while (!ending) {
      ReadUntilGone();
      if (!ending) Replace();
    }
  }

  void Send(const Frame& frame, int descriptor = -1) {
    if (frame.type == FrameType::kStart) {
      std::lock_guard<std::mutex> lock(tasks_mutex);
      tasks.insert(frame.task);
    }
    bool sent;
    {
      std::lock_guard<std::mutex> lock(send_mutex);
      sent = out != nullptr && out->Send(frame, descriptor);
    }
    if (sent || frame.type != FrameType::kStart) return;
    {
      std::lock_guard<std::mutex> lock(tasks_mutex);
      if (tasks.erase(frame.task) == 0) return;  // told by the reader
    }
    events.keeper_lost({frame.task});
  }
};

absl::StatusOr<std::unique_ptr<Launcher>> Launcher::Create(const std::string& keeper,
                                                           LaunchEvents events) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return ErrnoStatus(errno, "becoming a subreaper");
  BATON_ASSIGN_OR_RETURN(const KeeperProcess process, StartKeeper(keeper));
  auto state = std::make_unique<State>();
  state->program = keeper;
  state->events = std::move(events);
  state->Adopt(process);
  State* const running = state.get();
  state->reader = std::thread([running] { running->Run(); });
  return std::unique_ptr<Launcher>(new Launcher(std::move(state)));
}

Launcher::Launcher(std::unique_ptr<State> state) : state_(std::move(state)) {}

Launcher::~Launcher() {
  state_->ending = true;
  {
    std::lock_guard<std::mutex> lock(state_->send_mutex);
    if (state_->socket >= 0) shutdown(state_->socket, SHUT_RDWR);
  }
  state_->reader.join();
  WaitFor(state_->pid);
  KillAllDescendants();
  if (state_->socket >= 0) close(state_->socket);
}

void Launcher::Start(const Launch& launch) {
  Frame frame;
  frame.type = FrameType::kStart;
  frame.task = launch.id;
  frame.argv = launch.argv;
  frame.environment = launch.environment;
  frame.folder = launch.folder;
  frame.mark = launch.mark;
  state_->Send(frame, launch.log);
}

void Launcher::Terminate(uint64_t id, bool all, int signal) {
  Frame frame;
  frame.type = FrameType::kTerminate;
  frame.code = all ? -signal : signal;
  frame.task = id;
  state_->Send(frame);
}

void Launcher::Kill(uint64_t id) {
  Frame frame;
  frame.type = FrameType::kKill;
  frame.task = id;
  state_->Send(frame);
}

int32_t Launcher::keeper_pid() const { return state_->pid; }

}  // namespace baton::worker
