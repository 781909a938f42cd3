#include "worker/setup/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/status.h"
#include "worker/task/process_tree.h"
#include "worker/task/spawn.h"

namespace baton::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kLookMs = 50;
constexpr size_t kPieceBytes = 256 << 10;
constexpr size_t kOutputBytesMax = 1 << 20;
// For what it printed last, should a process that it left hold its output open.
constexpr milliseconds kOutputGrace{500};

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  void Reset(int fd) {
    Close();
    fd_ = fd;
  }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

// All of it, or until nobody reads any more.
bool WriteWhole(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

enum class Heard { kSomething, kNothing, kEnd };

// Reads what is there, having waited for `wait_ms` at most.
Heard ReadOnce(int fd, int wait_ms, std::vector<char>& buffer,
               const std::function<void(absl::string_view)>& output) {
  pollfd ready{fd, POLLIN, 0};
  if (poll(&ready, 1, wait_ms) <= 0) return Heard::kNothing;
  const ssize_t n = read(fd, buffer.data(), buffer.size());
  if (n < 0) return errno == EINTR || errno == EAGAIN ? Heard::kNothing : Heard::kEnd;
  if (n == 0) return Heard::kEnd;
  if (output) output({buffer.data(), static_cast<size_t>(n)});
  return Heard::kSomething;
}

// What a command leaves behind must not print on for ever.
void KillRest(pid_t group, const std::string& mark) {
  kill(-group, SIGKILL);
  if (!mark.empty()) KillMarked(mark);
}

// Hands on what the child prints, until it has ended; its wait status. `cut` says why it was
// killed.
int Watch(pid_t pid, int out, const ChildRequest& request, absl::Status* cut) {
  const auto start = steady_clock::now();
  std::vector<char> buffer(kPieceBytes);
  Heard heard = Heard::kNothing;
  int status = 0;
  auto silent_since = start;  // once it has ended
  bool reaped = false;
  while (!reaped || (heard != Heard::kEnd && steady_clock::now() - silent_since < kOutputGrace)) {
    if (heard != Heard::kEnd) {
      heard = ReadOnce(out, kLookMs, buffer, request.output);
      // However long it takes to hand on what it has left in the pipe.
      if (heard == Heard::kSomething) silent_since = steady_clock::now();
    } else {
      std::this_thread::sleep_for(milliseconds(5));
    }
    if (!reaped) {
      const pid_t got = waitpid(pid, &status, WNOHANG);
      reaped = got == pid || (got < 0 && errno != EINTR);
      if (got < 0 && errno != EINTR) status = SIGKILL;  // somebody else reaped it
      if (reaped) {
        silent_since = steady_clock::now();
        KillRest(pid, request.mark);
      }
    }
    if (!cut->ok() || reaped) continue;
    if (request.cancelled && request.cancelled()) {
      *cut = absl::CancelledError("given up");
    } else if (steady_clock::now() - start > milliseconds(request.limit_ms)) {
      *cut = absl::DeadlineExceededError(
          absl::StrCat("took longer than ", request.limit_ms / 60'000, " minutes"));
    }
    if (!cut->ok()) kill(-pid, SIGKILL);
  }
  return status;
}

}  // namespace

absl::StatusOr<int> RunToEnd(const ChildRequest& request) {
  Fd in_read, in_write, out_read, out_write;
  int ends[2];
  if (request.input) {
    if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "make a pipe");
    in_read.Reset(ends[0]);
    in_write.Reset(ends[1]);
  } else {
    in_read.Reset(open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "make a pipe");
  out_read.Reset(ends[0]);
  out_write.Reset(ends[1]);
  SpawnRequest spawn;
  spawn.argv = request.argv;
  spawn.environment = request.environment;
  spawn.folder = request.folder;
  spawn.input = in_read.get();
  spawn.output = out_write.get();
  const Spawned child = Spawn(spawn);
  in_read.Close();
  out_write.Close();
  if (child.pid < 0) {
    const std::string text = absl::StrCat(request.argv.empty() ? "" : request.argv[0], ": ",
                                          child.what, ": ", std::strerror(child.error_number));
    if (child.error_number == ENOENT) return absl::NotFoundError(text);
    return absl::InternalError(text);
  }
  std::thread feeder;
  if (request.input) {
    feeder = std::thread([&] {
      std::string piece;
      while (request.input(&piece) && WriteWhole(in_write.get(), piece)) {
      }
      in_write.Close();
    });
  }
  absl::Status cut;
  const int status = Watch(child.pid, out_read.get(), request, &cut);
  if (feeder.joinable()) feeder.join();
  if (!cut.ok()) return cut;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

absl::StatusOr<int> ReadOutput(ChildRequest request, std::string* output) {
  request.output = [output](absl::string_view bytes) {
    if (output->size() + bytes.size() <= kOutputBytesMax)
      output->append(bytes.data(), bytes.size());
  };
  return RunToEnd(request);
}

}  // namespace baton::worker
