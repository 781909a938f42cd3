// RunInTask: this terminal and a command far away.
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <optional>
#include <thread>
#include <vector>

#include "client/tunnel.h"

namespace baton::client {
namespace {

constexpr int kLookMs = 50;
constexpr size_t kPieceBytes = 32 << 10;

std::atomic<bool> resized{false};

v1::WindowSize Window() {
  winsize size{};
  v1::WindowSize window;
  if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
    window.set_rows(size.ws_row);
    window.set_columns(size.ws_col);
  }
  return window;
}

// Each key goes to the command as it is typed, Ctrl-C too.
class RawTerminal {
 public:
  RawTerminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    is_raw_ = ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    std::signal(SIGWINCH, [](int) { resized = true; });
  }
  ~RawTerminal() {
    if (is_raw_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
    std::signal(SIGWINCH, SIG_DFL);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
  bool is_raw_ = false;
};

// What is typed or piped in, until the command's end.
void CarryIn(Tunnel& tunnel, const std::atomic<bool>& done, const std::atomic<bool>& interrupted) {
  std::vector<char> piece(kPieceBytes);
  bool open = true;
  while (!done) {
    if (interrupted) return tunnel.Hang();
    v1::TunnelFrame frame;
    if (resized.exchange(false)) {
      *frame.mutable_window() = Window();
      if (!tunnel.Write(frame)) return;
    }
    pollfd ready{open ? STDIN_FILENO : -1, POLLIN, 0};
    if (::poll(&ready, 1, kLookMs) <= 0) continue;
    const ssize_t got = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (got > 0) {
      frame.set_data(piece.data(), static_cast<size_t>(got));
    } else {
      open = false;
      frame.set_end(true);
    }
    if (!tunnel.Write(frame)) return;
  }
}

void Print(int fd, const std::string& bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t written = ::write(fd, bytes.data() + at, bytes.size() - at);
    if (written < 0 && errno != EINTR && errno != EAGAIN) return;
    if (written > 0) at += static_cast<size_t>(written);
  }
}

}  // namespace

absl::StatusOr<int> RunInTask(Api& api, const std::string& job, int rank, v1::Command command,
                              const std::atomic<bool>& interrupted) {
  std::optional<RawTerminal> raw;
  if (command.terminal()) {
    *command.mutable_window() = Window();
    const char* term = std::getenv("TERM");
    command.set_term(term == nullptr ? "" : term);
    if (::isatty(STDIN_FILENO) == 1) raw.emplace();
  }
  v1::TunnelEnd to;
  *to.mutable_command() = std::move(command);
  const std::unique_ptr<Tunnel> tunnel = Tunnel::Open(api, job, rank, to);
  std::atomic<bool> done{false};
  std::thread in([&] { CarryIn(*tunnel, done, interrupted); });
  std::optional<int> code;
  std::string failure;
  v1::TunnelFrame frame;
  while (!code && failure.empty() && tunnel->Read(&frame)) {
    if (!frame.data().empty()) Print(STDOUT_FILENO, frame.data());
    if (!frame.error_data().empty()) Print(STDERR_FILENO, frame.error_data());
    if (frame.has_exit_code()) code = frame.exit_code();
    failure = frame.failure();
  }
  done = true;
  in.join();
  const absl::Status ended = tunnel->Finish();
  if (code) return *code;
  if (!failure.empty()) return absl::UnavailableError(failure);
  if (interrupted) return absl::CancelledError("interrupted");
  if (!ended.ok()) return ended;
  return absl::UnavailableError("the connection ended without a word; try again");
}

}  // namespace baton::client
