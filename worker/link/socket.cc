#include "worker/link/socket.h"

#include <netdb.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace baton::worker {

absl::StatusOr<SocketAddress> ToSocketAddress(const std::string& address, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.c_str(), absl::StrCat(port).c_str(), &hints, &found) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", address, "' is no IP address; give --data-address one"));
  }
  SocketAddress to;
  std::memcpy(&to.bytes, found->ai_addr, found->ai_addrlen);
  to.size = found->ai_addrlen;
  freeaddrinfo(found);
  return to;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

}  // namespace baton::worker
