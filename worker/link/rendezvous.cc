#include "worker/link/rendezvous.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/status.h"
#include "worker/link/messages.h"
#include "worker/link/rendezvous_line.h"

namespace baton::worker {
namespace {

constexpr size_t kConnectionsMax = 64;         // of one task
constexpr size_t kWaitsMax = 4096;             // of one task
constexpr size_t kKeysMax = 4096;              // of one task and generation
constexpr size_t kOutgoingBytesMax = 8 << 20;  // of a client that does not read

struct Connection {
  TaskKey key;
  std::string in;
  std::string out;
  bool wants_write = false;
};

// A wait that is not answered.
struct Wait {
  TaskKey key;
  int connection = -1;
  uint64_t client_id = 0;
  v1::RendezvousRequest request;
};

struct Listener {
  int socket = -1;
  std::string path;
  size_t connections = 0;
  size_t waits = 0;
  uint64_t generation_max = 0;                        // of its membership file
  uint64_t generation = 0;                            // newest that it has spoken of
  std::map<std::string, v1::RendezvousRequest> told;  // its keys and losses of that generation
  std::optional<v1::RendezvousRequest> ready;         // that it can be a member of a later one
};

}  // namespace

struct Rendezvous::State {
  std::string folder;
  std::function<void(const v1::RendezvousRequest&)> send;
  int epoll = -1;
  int wake = -1;
  std::thread thread;
  std::atomic<bool> ending{false};

  std::mutex mutex;  // protects what follows
  uint64_t sockets = 0;
  uint64_t ids = 0;
  std::map<TaskKey, Listener> listeners;
  std::map<int, TaskKey> by_socket;
  std::map<int, Connection> connections;
  std::map<uint64_t, Wait> waits;

  ~State() {
    for (auto& [key, listener] : listeners) {
      close(listener.socket);
      (void)unlink(listener.path.c_str());
    }
    for (auto& [fd, connection] : connections) close(fd);
    if (epoll >= 0) close(epoll);
    if (wake >= 0) close(wake);
  }

  void Watch(int fd, uint32_t events, int operation) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll, operation, fd, &event);
  }

  void Accept(int socket, const TaskKey& key) {
    const int fd = accept4(socket, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    Listener& listener = listeners[key];
    if (listener.connections >= kConnectionsMax) {
      close(fd);
      return;
    }
    ++listener.connections;
    connections[fd].key = key;
    Watch(fd, EPOLLIN, EPOLL_CTL_ADD);
  }

  void Hangup(int fd) {
    const auto at = connections.find(fd);
    if (at == connections.end()) return;
    const auto listener = listeners.find(at->second.key);
    for (auto wait = waits.begin(); wait != waits.end();) {
      if (wait->second.connection != fd) {
        ++wait;
        continue;
      }
      if (listener != listeners.end()) --listener->second.waits;
      wait = waits.erase(wait);
    }
    if (listener != listeners.end()) --listener->second.connections;
    connections.erase(at);
    close(fd);
  }

  // Buffers what the socket does not take; false when the client reads nothing any more.
  bool Write(int fd, Connection& connection, const std::string& line) {
    connection.out += line;
    while (!connection.out.empty()) {
      const ssize_t n =
          ::send(fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0) return false;
      connection.out.erase(0, static_cast<size_t>(n));
    }
    const bool wants_write = !connection.out.empty();
    if (wants_write != connection.wants_write) {
      connection.wants_write = wants_write;
      Watch(fd, EPOLLIN | (wants_write ? EPOLLOUT : 0u), EPOLL_CTL_MOD);
    }
    return connection.out.size() <= kOutgoingBytesMax;
  }

  // The wait is not among the open ones any more.
  void Answer(const Wait& wait, const std::string& line) {
    const auto at = connections.find(wait.connection);
    if (at == connections.end()) return;
    if (!Write(wait.connection, at->second, line)) Hangup(wait.connection);
  }

  void Remember(Listener& listener, const v1::RendezvousRequest& request) {
    if (request.op() == v1::RendezvousRequest::READY) {
      listener.ready = request;
      return;
    }
    // Within one generation: an older one's keys are of no use to anybody.
    if (request.generation() > listener.generation) {
      listener.generation = request.generation();
      listener.told.clear();
    }
    if (request.generation() < listener.generation) return;
    const std::string name =
        request.op() == v1::RendezvousRequest::SET
            ? absl::StrCat("set ", request.key())
            : absl::StrCat(static_cast<int>(request.op()), " ", request.lost_rank());
    listener.told[name] = request;
  }

  std::string Handle(int fd, const Connection& connection, const std::string& line) {
    RendezvousLine parsed;
    const absl::Status status = ParseRendezvousLine(line, parsed);
    if (!status.ok()) return RendezvousError(parsed.id, status.message());
    const auto at = listeners.find(connection.key);
    if (at == listeners.end()) return RendezvousError(parsed.id, "the task has ended");
    Listener& listener = at->second;
    v1::RendezvousRequest& request = parsed.request;
    if (!parsed.has_generation) request.set_generation(listener.generation_max);
    if (request.generation() > listener.generation_max) {
      return RendezvousError(
          parsed.id, absl::StrCat("generation: ", request.generation(), " is not there yet; the ",
                                  "newest, of the membership file, is ", listener.generation_max));
    }
    *request.mutable_task() = ToProto(connection.key);
    request.set_id(++ids);
    if (request.op() == v1::RendezvousRequest::WAIT) {
      if (request.generation() < listener.generation_max) {
        return RendezvousStale(parsed.id, listener.generation_max);
      }
      if (listener.waits >= kWaitsMax) return RendezvousError(parsed.id, "too many open waits");
      ++listener.waits;
      waits[request.id()] = {connection.key, fd, parsed.id, request};
      send(request);
      return "";
    }
    const bool adds =
        request.op() == v1::RendezvousRequest::SET || request.op() == v1::RendezvousRequest::LOST;
    if (adds && listener.told.size() >= kKeysMax) {
      return RendezvousError(parsed.id, "too many keys in one generation");
    }
    if (request.op() == v1::RendezvousRequest::DONE && !request.key().empty()) {
      Forget(fd, listener, request.key());
    } else {
      Remember(listener, request);
    }
    send(request);
    return RendezvousOk(parsed.id);
  }

  // Nobody needs the key any more.
  void Forget(int fd, Listener& listener, const std::string& key) {
    listener.told.erase(absl::StrCat("set ", key));
    listener.waits -= std::erase_if(waits, [&](const auto& wait) {
      return wait.second.connection == fd && wait.second.request.key() == key;
    });
  }

  void Read(int fd) {
    Connection& connection = connections[fd];
    char buffer[64 << 10];
    const ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return Hangup(fd);
    connection.in.append(buffer, static_cast<size_t>(n));
    size_t begin = 0;
    for (size_t end; (end = connection.in.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      const std::string reply = Handle(fd, connection, connection.in.substr(begin, end - begin));
      if (!reply.empty() && !Write(fd, connection, reply)) return Hangup(fd);
    }
    connection.in.erase(0, begin);
    if (connection.in.size() <= kRendezvousLineBytesMax) return;
    (void)Write(fd, connection, RendezvousError(0, "the line is too long"));
    Hangup(fd);
  }

  void Turn(const epoll_event& event) {
    const int fd = event.data.fd;
    std::lock_guard<std::mutex> lock(mutex);
    if (fd == wake) {
      uint64_t knocks;
      (void)!read(wake, &knocks, sizeof(knocks));
    } else if (const auto at = by_socket.find(fd); at != by_socket.end()) {
      Accept(fd, at->second);
    } else if (connections.count(fd) > 0) {
      if ((event.events & EPOLLOUT) != 0 && !Write(fd, connections[fd], "")) return Hangup(fd);
      if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Read(fd);
    }
  }

  void Run() {
    epoll_event events[64];
    while (!ending) {
      const int count = epoll_wait(epoll, events, 64, -1);
      if (count < 0 && errno != EINTR) return;
      for (int i = 0; i < count; ++i) Turn(events[i]);
    }
  }
};

absl::StatusOr<std::unique_ptr<Rendezvous>> Rendezvous::Create(
    const std::string& folder, std::function<void(const v1::RendezvousRequest&)> send) {
  auto state = std::make_unique<State>();
  state->folder = folder;
  state->send = std::move(send);
  state->epoll = epoll_create1(EPOLL_CLOEXEC);
  state->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (state->epoll < 0 || state->wake < 0) return ErrnoStatus(errno, "the rendezvous descriptors");
  state->Watch(state->wake, EPOLLIN, EPOLL_CTL_ADD);
  State* const running = state.get();
  state->thread = std::thread([running] { running->Run(); });
  return std::unique_ptr<Rendezvous>(new Rendezvous(std::move(state)));
}

Rendezvous::Rendezvous(std::unique_ptr<State> state) : state_(std::move(state)) {}

Rendezvous::~Rendezvous() {
  state_->ending = true;
  const uint64_t one = 1;
  (void)!write(state_->wake, &one, sizeof(one));
  state_->thread.join();
}

absl::StatusOr<std::string> Rendezvous::Add(const TaskKey& key, uint64_t generation) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  const std::string path = absl::StrCat(state_->folder, "/", ++state_->sockets);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is too long for a socket"));
  }
  memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return ErrnoStatus(errno, "a rendezvous socket");
  (void)unlink(path.c_str());
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(fd, 16) != 0) {
    const int error = errno;
    close(fd);
    return ErrnoStatus(error, absl::StrCat("the rendezvous socket ", path));
  }
  Listener& listener = state_->listeners[key];
  listener.socket = fd;
  listener.generation_max = generation;
  listener.path = path;
  state_->by_socket[fd] = key;
  state_->Watch(fd, EPOLLIN, EPOLL_CTL_ADD);
  return path;
}

void Rendezvous::Advance(const TaskKey& key, uint64_t generation) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  const auto at = state_->listeners.find(key);
  if (at == state_->listeners.end() || generation <= at->second.generation_max) return;
  Listener& listener = at->second;
  listener.generation_max = listener.generation = generation;
  listener.told.clear();
  std::vector<Wait> stale;
  for (auto wait = state_->waits.begin(); wait != state_->waits.end();) {
    if (wait->second.key != key) {
      ++wait;
      continue;
    }
    stale.push_back(wait->second);
    wait = state_->waits.erase(wait);
    --listener.waits;
  }
  for (const Wait& wait : stale) {
    state_->Answer(wait, RendezvousStale(wait.client_id, generation));
  }
}

void Rendezvous::Remove(const TaskKey& key) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  const auto at = state_->listeners.find(key);
  if (at == state_->listeners.end()) return;
  std::vector<int> open;
  for (const auto& [fd, connection] : state_->connections) {
    if (connection.key == key) open.push_back(fd);
  }
  for (const int fd : open) state_->Hangup(fd);
  state_->by_socket.erase(at->second.socket);
  close(at->second.socket);
  (void)unlink(at->second.path.c_str());
  state_->listeners.erase(at);
}

void Rendezvous::OnAnswer(const v1::RendezvousAnswer& answer) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  const auto at = state_->waits.find(answer.id());
  if (at == state_->waits.end()) return;
  const Wait wait = at->second;
  if (const auto l = state_->listeners.find(wait.key); l != state_->listeners.end()) {
    // Who hears that its generation is over reads the next one in the membership file: Advance
    // tells it when that is there.
    if (answer.stale_generation() > l->second.generation_max) return;
    --l->second.waits;
  }
  state_->waits.erase(at);
  state_->Answer(wait, RendezvousReply(wait.client_id, answer));
}

void Rendezvous::Resend() {
  std::lock_guard<std::mutex> lock(state_->mutex);
  for (const auto& [key, listener] : state_->listeners) {
    for (const auto& [name, request] : listener.told) state_->send(request);
    if (listener.ready.has_value()) state_->send(*listener.ready);
  }
  for (const auto& [id, wait] : state_->waits) state_->send(wait.request);
}

}  // namespace baton::worker
