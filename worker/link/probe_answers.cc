#include "worker/link/probe_answers.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <list>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"
#include "common/clock.h"
#include "common/status.h"
#include "worker/link/socket.h"

namespace baton::worker {
namespace {

constexpr std::chrono::milliseconds kAcceptAgain{200};
constexpr size_t kConnectionsMax = 64;  // others wait in the kernel
constexpr int64_t kTimeoutMs = 2'000;

struct Connection {
  Descriptor socket;
  std::string in;
  int64_t until_ms = 0;
};

absl::StatusOr<Descriptor> ListenAt(const SocketAddress& address) {
  Descriptor fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0 || bind(fd.get(), address.get(), address.size) != 0 ||
      listen(fd.get(), 128) != 0) {
    return ErrnoStatus(errno, "listen for probes");
  }
  return fd;
}

}  // namespace

std::string ProbeLine(absl::string_view nonce, absl::string_view node_id) {
  return absl::StrCat("baton-probe ", nonce, " ", node_id, "\n");
}

std::string AnswerLine(absl::string_view nonce, absl::string_view node_id) {
  return absl::StrCat("baton-node ", nonce, " ", node_id, "\n");
}

struct ProbeAnswers::State {
  std::string node_id;
  int port = 0;
  Descriptor listener;
  Descriptor wake;
  std::atomic<bool> ending{false};
  std::list<Connection> connections;  // of the thread alone
  std::thread thread;

  ~State() {
    ending = true;
    (void)eventfd_write(wake.get(), 1);
    if (thread.joinable()) thread.join();
  }

  void Run() {
    while (!ending) {
      std::vector<pollfd> waits = {{wake.get(), POLLIN, 0}};
      // Full: who comes now waits until one has gone.
      const bool room = connections.size() < kConnectionsMax;
      waits.push_back({room ? listener.get() : -1, POLLIN, 0});
      for (const Connection& connection : connections) {
        waits.push_back({connection.socket.get(), POLLIN, 0});
      }
      (void)poll(waits.data(), waits.size(), connections.empty() ? -1 : 200);
      size_t at = 2;
      const int64_t now_ms = SystemClock().MonotonicMillis();
      for (auto it = connections.begin(); it != connections.end(); ++at) {
        const bool over = (waits[at].revents != 0 && Serve(&*it)) || now_ms >= it->until_ms;
        it = over ? connections.erase(it) : std::next(it);
      }
      if (waits[1].revents != 0 && !Accept(now_ms)) {
        // Out of descriptors: it would be asked again at once.
        std::this_thread::sleep_for(kAcceptAgain);
      }
    }
  }

  bool Accept(int64_t now_ms) {
    Descriptor socket(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket.get() < 0) return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    connections.push_back({std::move(socket), "", now_ms + kTimeoutMs});
    return true;
  }

  // True: the connection is over.
  bool Serve(Connection* connection) const {
    char bytes[kProbeLineMax];
    const ssize_t n = recv(connection->socket.get(), bytes, sizeof(bytes), 0);
    if (n < 0) return errno != EAGAIN && errno != EINTR;
    if (n == 0) return true;
    connection->in.append(bytes, static_cast<size_t>(n));
    const size_t end = connection->in.find('\n');
    if (end == std::string::npos) return connection->in.size() >= kProbeLineMax;
    const std::vector<std::string> words = absl::StrSplit(connection->in.substr(0, end), ' ');
    if (words.size() != 3 || words[0] != "baton-probe" || words[1].size() > 64) return true;
    // It fits into an empty buffer, or is lost with who does not read.
    const std::string answer = AnswerLine(words[1], node_id);
    (void)send(connection->socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    return true;
  }
};

absl::StatusOr<std::unique_ptr<ProbeAnswers>> ProbeAnswers::Start(const std::string& address,
                                                                  const std::string& node_id) {
  auto state = std::make_unique<State>();
  state->node_id = node_id;
  BATON_ASSIGN_OR_RETURN(const SocketAddress own, ToSocketAddress(address, 0));
  auto listener = ListenAt(own);
  if (!listener.ok()) {
    const bool six = own.family() == AF_INET6;
    BATON_ASSIGN_OR_RETURN(const SocketAddress all, ToSocketAddress(six ? "::" : "0.0.0.0", 0));
    listener = ListenAt(all);
  }
  BATON_RETURN_IF_ERROR(listener.status());
  state->listener = *std::move(listener);
  SocketAddress bound;
  bound.size = sizeof(bound.bytes);
  if (getsockname(state->listener.get(), reinterpret_cast<sockaddr*>(&bound.bytes), &bound.size) !=
      0) {
    return ErrnoStatus(errno, "look up the port for probes");
  }
  state->port = ntohs(bound.family() == AF_INET6
                          ? reinterpret_cast<const sockaddr_in6*>(&bound.bytes)->sin6_port
                          : reinterpret_cast<const sockaddr_in*>(&bound.bytes)->sin_port);
  state->wake = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (state->wake.get() < 0) return ErrnoStatus(errno, "make an eventfd");
  state->thread = std::thread([raw = state.get()] { raw->Run(); });
  return std::unique_ptr<ProbeAnswers>(new ProbeAnswers(std::move(state)));
}

ProbeAnswers::ProbeAnswers(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProbeAnswers::~ProbeAnswers() = default;

int ProbeAnswers::port() const { return state_->port; }

}  // namespace baton::worker
