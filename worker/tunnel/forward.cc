#include "worker/tunnel/forward.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace baton::worker {
namespace {

constexpr size_t kPieceBytes = 32 << 10;

// A connected socket, or -1.
int Connect(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0) return -1;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  const int error_number = errno;
  close(fd);
  errno = error_number;
  return -1;
}

}  // namespace

void Forward(int port, Line& line) {
  const int fd = Connect(port);
  if (fd < 0) {
    line.Fail(absl::StrCat("nothing answers at port ", port, " of the node (", std::strerror(errno),
                           "); does the task listen there?"));
    return;
  }
  std::thread in([&] {
    v1::TunnelFrame frame;
    while (line.Read(&frame)) {
      if (!frame.data().empty() && !WriteAll(fd, frame.data(), line)) break;
      if (frame.end()) shutdown(fd, SHUT_WR);
    }
    shutdown(fd, SHUT_RDWR);  // wakes the other side
  });
  std::vector<char> piece(kPieceBytes);
  while (true) {
    const ssize_t got = read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || !line.WriteData({piece.data(), static_cast<size_t>(got)}, false)) break;
  }
  line.Exit(0);
  in.join();
  close(fd);
}

}  // namespace baton::worker
