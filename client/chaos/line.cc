#include "client/chaos/line.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <list>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/status.h"

namespace baton::client::chaos {
namespace {

constexpr size_t kBufferMax = 256 << 10;  // of one direction; more waits in the sender's socket

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// One direction of a connection.
struct Pipe {
  std::string bytes;   // read, not yet written
  bool ended = false;  // nothing more comes

  // False: the connection is broken.
  bool Read(int from) {
    char chunk[16 << 10];
    const ssize_t n = recv(from, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) ended = true;
    bytes.append(chunk, static_cast<size_t>(n));
    return true;
  }
  bool Write(int to) {
    const ssize_t n = send(to, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    bytes.erase(0, static_cast<size_t>(n));
    return true;
  }
};

// A worker's connection and the one to the scheduler that stands for it.
struct Relay {
  int near = -1;
  int far = -1;
  Pipe out;  // near to far
  Pipe in;

  Relay(int near_fd, int far_fd) : near(near_fd), far(far_fd) {}
  Relay(const Relay&) = delete;
  ~Relay() {
    close(near);
    close(far);
  }
  bool over() const { return (out.ended && out.bytes.empty()) || (in.ended && in.bytes.empty()); }
};

short Wants(const Pipe& reads, const Pipe& writes) {
  return static_cast<short>((!reads.ended && reads.bytes.size() < kBufferMax ? POLLIN : 0) |
                            (writes.bytes.empty() ? 0 : POLLOUT));
}

}  // namespace

struct Line::State {
  int listener = -1;
  int wake = -1;
  int port = 0;
  int to_port = 0;
  std::atomic<bool> cut{false};
  std::atomic<bool> mended{false};
  std::atomic<bool> ending{false};
  std::list<Relay> relays;  // of the thread
  std::thread thread;

  ~State() {
    if (listener >= 0) close(listener);
    if (wake >= 0) close(wake);
  }

  void Accept() {
    const int near = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (near < 0) return;
    const int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in to = Loopback(to_port);
    if (far < 0 || connect(far, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
      if (far >= 0) close(far);
      close(near);
      return;
    }
    relays.emplace_back(near, far);
  }

  bool Serve(Relay& relay, short near, short far) {
    constexpr short kReadable = POLLIN | POLLHUP | POLLERR;
    bool good = true;
    if ((near & kReadable) != 0) good = relay.out.Read(relay.near) && good;
    if ((far & kReadable) != 0) good = relay.in.Read(relay.far) && good;
    if (!relay.out.bytes.empty()) good = relay.out.Write(relay.far) && good;
    if (!relay.in.bytes.empty()) good = relay.in.Write(relay.near) && good;
    return good && !relay.over();
  }

  void Turn() {
    std::vector<pollfd> wanted = {{wake, POLLIN, 0}, {listener, POLLIN, 0}};
    const bool was_open = !cut;
    if (was_open) {
      for (const Relay& relay : relays) {
        wanted.push_back({relay.near, Wants(relay.out, relay.in), 0});
        wanted.push_back({relay.far, Wants(relay.in, relay.out), 0});
      }
    }
    if (poll(wanted.data(), wanted.size(), -1) < 0) return;
    if (wanted[0].revents != 0) {
      uint64_t knocks;
      (void)!read(wake, &knocks, sizeof(knocks));
    }
    if (mended.exchange(false)) {
      relays.clear();
      return;
    }
    // It may have been cut while this thread waited.
    const bool open = was_open && !cut;
    size_t at = 2;
    for (auto relay = relays.begin(); open && relay != relays.end(); at += 2) {
      const bool good = Serve(*relay, wanted[at].revents, wanted[at + 1].revents);
      relay = good ? std::next(relay) : relays.erase(relay);
    }
    if (wanted[1].revents != 0) Accept();
  }

  void Knock() const {
    const uint64_t one = 1;
    (void)!write(wake, &one, sizeof(one));
  }
};

absl::StatusOr<std::unique_ptr<Line>> Line::Start(const std::string& to) {
  auto state = std::make_unique<State>();
  State* const it = state.get();
  it->to_port = std::atoi(to.substr(to.rfind(':') + 1).c_str());
  it->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  it->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (it->wake < 0 || it->listener < 0 ||
      bind(it->listener, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      listen(it->listener, 64) != 0 ||
      getsockname(it->listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return ErrnoStatus(errno, "a line to the scheduler");
  }
  it->port = ntohs(address.sin_port);
  it->thread = std::thread([it] {
    while (!it->ending) it->Turn();
  });
  return std::unique_ptr<Line>(new Line(std::move(state)));
}

Line::Line(std::unique_ptr<State> state) : state_(std::move(state)) {}

Line::~Line() {
  state_->ending = true;
  state_->Knock();
  state_->thread.join();
}

std::string Line::address() const { return absl::StrCat("127.0.0.1:", state_->port); }

void Line::Cut() {
  state_->cut = true;
  state_->Knock();
}

void Line::Mend() {
  state_->cut = false;
  state_->mended = true;
  state_->Knock();
}

}  // namespace baton::client::chaos
