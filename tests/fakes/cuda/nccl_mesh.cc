#include "tests/fakes/cuda/nccl_mesh.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace baton::fake_cuda {
namespace {

// Between two tries, and the longest wait before `stop` is looked at.
constexpr int kLookMs = 2;

struct Hello {
  int32_t rank, size, device;
};

// In the abstract namespace, where nothing is left behind.
socklen_t NameOf(const std::string& id, int rank, sockaddr_un* address) {
  *address = {};
  address->sun_family = AF_UNIX;
  const std::string name = "baton-fake-nccl-" + id + "-" + std::to_string(rank);
  std::memcpy(address->sun_path + 1, name.data(), name.size());
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

int Listen(const Meeting& meeting) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address;
  const socklen_t length = NameOf(meeting.id, meeting.rank, &address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0) {
    Broken("rank " + std::to_string(meeting.rank) + " of one ncclUniqueId comes twice");
  }
  listen(fd, meeting.size);
  return fd;
}

// -1: told to stop.
int Connect(const Meeting& meeting, int peer, const std::atomic<bool>& stop) {
  sockaddr_un address;
  const socklen_t length = NameOf(meeting.id, peer, &address);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  while (!stop) {
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), length) == 0) return fd;
    std::this_thread::sleep_for(std::chrono::milliseconds(kLookMs));
  }
  close(fd);
  return -1;
}

bool WaitUntilReadable(int fd, const std::atomic<bool>& stop) {
  pollfd entry{fd, POLLIN, 0};
  while (!stop) {
    if (poll(&entry, 1, kLookMs) > 0) return true;
  }
  return false;
}

int Accept(int listener, const std::atomic<bool>& stop) {
  return WaitUntilReadable(listener, stop) ? accept4(listener, nullptr, nullptr, SOCK_CLOEXEC) : -1;
}

// False: told to stop. A peer that dies here is waited for, as by the real one.
bool Greet(int fd, const Meeting& meeting, const std::atomic<bool>& stop, Hello* theirs) {
  const Hello own{meeting.rank, meeting.size, meeting.device};
  static_cast<void>(send(fd, &own, sizeof(own), MSG_NOSIGNAL));
  if (!WaitUntilReadable(fd, stop)) return false;
  while (recv(fd, theirs, sizeof(*theirs), MSG_WAITALL) != sizeof(*theirs)) {
    if (stop) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(kLookMs));
  }
  if (theirs->size != meeting.size) Broken("ranks of one ncclUniqueId differ in their number");
  return true;
}

}  // namespace

void Broken(const std::string& what) {
  std::fprintf(stderr, "simulated NCCL: %s\n", what.c_str());
  std::abort();
}

std::vector<std::unique_ptr<Peer>> Meet(const Meeting& meeting, const std::atomic<bool>& stop,
                                        bool* shared) {
  std::vector<std::unique_ptr<Peer>> peers(static_cast<size_t>(meeting.size));
  const int listener = Listen(meeting);
  *shared = false;
  bool whole = true;
  for (int i = 0; i + 1 < meeting.size && whole; ++i) {
    const int fd = i < meeting.rank ? Connect(meeting, i, stop) : Accept(listener, stop);
    Hello theirs{};
    whole = fd >= 0 && Greet(fd, meeting, stop, &theirs);
    if (!whole) {
      if (fd >= 0) close(fd);
      break;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    *shared = *shared || theirs.device == meeting.device;
    peers[static_cast<size_t>(theirs.rank)] = std::make_unique<Peer>(fd);
  }
  close(listener);
  if (!whole) peers.clear();
  return peers;
}

Peer::~Peer() { close(fd_); }

void Peer::Note(uint64_t kind, uint64_t count) {
  const Frame frame{kind, count};
  outgoing_.append(reinterpret_cast<const char*>(&frame), sizeof(frame));
}

bool Peer::Flush() {
  while (!outgoing_.empty() && !gone_) {
    const ssize_t sent = send(fd_, outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      outgoing_.erase(0, static_cast<size_t>(sent));
    } else {
      gone_ = errno != EAGAIN;
      return false;
    }
  }
  return !gone_;
}

void Peer::ReadNews() {
  while (!values_next_ && !gone_) {
    char bytes[sizeof(Frame)];
    const ssize_t got = recv(fd_, bytes, sizeof(Frame) - incoming_.size(), 0);
    if (got <= 0) {
      gone_ = got == 0 || errno != EAGAIN;
      return;
    }
    incoming_.append(bytes, static_cast<size_t>(got));
    if (incoming_.size() < sizeof(Frame)) continue;
    Frame frame;
    std::memcpy(&frame, incoming_.data(), sizeof(frame));
    incoming_.clear();
    if (frame.kind == kAnnounce) {
      wanted_.push_back(frame.count);
    } else {
      values_next_ = true;
      values_count_ = frame.count;
    }
  }
}

bool Peer::Go(Sending& message) {
  const size_t bytes = message.count * sizeof(float);
  Flush();
  ReadNews();
  if (!message.begun) {
    if (wanted_.empty()) return false;
    if (wanted_.front() != message.count) {
      Broken("a send of " + std::to_string(message.count) + " floats meets a receive of " +
             std::to_string(wanted_.front()));
    }
    wanted_.pop_front();
    Note(kData, message.count);
    message.begun = true;
  }
  if (!Flush()) return false;
  while (message.written < bytes) {
    const ssize_t sent = send(fd_, reinterpret_cast<const char*>(message.from) + message.written,
                              bytes - message.written, MSG_NOSIGNAL);
    if (sent <= 0) {
      gone_ = gone_ || errno != EAGAIN;
      return false;
    }
    message.written += static_cast<size_t>(sent);
  }
  return true;
}

bool Peer::Go(Receiving& message) {
  const size_t bytes = message.count * sizeof(float);
  if (!message.announced) {
    Note(kAnnounce, message.count);
    message.announced = true;
  }
  Flush();
  ReadNews();
  while (values_next_ && message.read < bytes) {
    const ssize_t got =
        recv(fd_, reinterpret_cast<char*>(message.to) + message.read, bytes - message.read, 0);
    if (got <= 0) {
      gone_ = gone_ || got == 0 || errno != EAGAIN;
      return false;
    }
    message.read += static_cast<size_t>(got);
  }
  if (!values_next_ || message.read < bytes) return false;
  values_next_ = false;
  return true;
}

}  // namespace baton::fake_cuda
