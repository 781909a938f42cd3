// ForwardPort: connections to this machine that end on a task's node.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <list>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/tunnel.h"
#include "common/atomic_file.h"

namespace baton::client {
namespace {

constexpr int kLookMs = 100;
constexpr size_t kPieceBytes = 32 << 10;

// One connection and its tunnel.
class Joined {
 public:
  Joined(int fd, std::unique_ptr<Tunnel> tunnel) : fd_(fd), tunnel_(std::move(tunnel)) {
    out_ = std::thread([this] { CarryOut(); });
    in_ = std::thread([this] { CarryIn(); });
  }
  ~Joined() {
    tunnel_->Hang();
    ::shutdown(fd_, SHUT_RDWR);
    in_.join();
    ::close(fd_);
  }
  Joined(const Joined&) = delete;
  Joined& operator=(const Joined&) = delete;

  bool done() const { return done_; }

 private:
  void CarryOut() {
    std::vector<char> piece(kPieceBytes);
    v1::TunnelFrame frame;
    while (true) {
      const ssize_t got = ::read(fd_, piece.data(), piece.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      frame.set_data(piece.data(), static_cast<size_t>(got));
      if (!tunnel_->Write(frame)) return;
    }
    frame.set_end(true);
    tunnel_->Write(frame);
  }

  void CarryIn() {
    v1::TunnelFrame frame;
    bool last = false;
    while (!last && tunnel_->Read(&frame)) {
      last = frame.has_exit_code() || !frame.failure().empty();
      if (!frame.failure().empty()) std::fprintf(stderr, "baton: %s\n", frame.failure().c_str());
      const std::string& bytes = frame.data();
      for (size_t at = 0; at < bytes.size();) {
        const ssize_t sent = ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) break;
        at += static_cast<size_t>(sent);
      }
    }
    // Lets the other thread go: nothing may be written behind Finish.
    ::shutdown(fd_, SHUT_RDWR);
    out_.join();
    const absl::Status ended = tunnel_->Finish();
    if (!ended.ok() && !absl::IsCancelled(ended)) {
      std::fprintf(stderr, "baton: %s\n", std::string(ended.message()).c_str());
    }
    done_ = true;
  }

  const int fd_;
  const std::unique_ptr<Tunnel> tunnel_;
  std::atomic<bool> done_{false};
  std::thread out_, in_;
};

absl::StatusOr<int> Listen(int* port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(*port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(fd, SOMAXCONN) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    const int error_number = errno;
    if (fd >= 0) ::close(fd);
    return absl::UnavailableError(
        absl::StrCat(ErrnoStatus(error_number, absl::StrCat("listen on port ", *port)).message(),
                     "; choose another one: LOCAL:PORT"));
  }
  *port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

absl::Status ForwardPort(Api& api, const std::string& job, int rank, int local, int port,
                         const std::atomic<bool>& interrupted,
                         const std::function<void(int)>& ready) {
  const absl::StatusOr<int> listener = Listen(&local);
  if (!listener.ok()) return listener.status();
  ready(local);
  v1::TunnelEnd to;
  to.set_port(port);
  std::list<Joined> joined;
  while (!interrupted) {
    joined.remove_if([](const Joined& one) { return one.done(); });
    pollfd waiting{*listener, POLLIN, 0};
    if (::poll(&waiting, 1, kLookMs) <= 0) continue;
    const int fd = ::accept4(*listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) joined.emplace_back(fd, Tunnel::Open(api, job, rank, to));
  }
  ::close(*listener);
  return absl::OkStatus();
}

}  // namespace baton::client
