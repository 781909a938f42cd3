// What both ends of a probe need of TCP.
#pragma once

#include <sys/socket.h>

#include <string>

#include "absl/status/statusor.h"

namespace baton::worker {

struct SocketAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
  int family() const { return bytes.ss_family; }
};

// InvalidArgument: `address` is no IP address.
absl::StatusOr<SocketAddress> ToSocketAddress(const std::string& address, int port);

// A file descriptor that is closed at its end.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace baton::worker
