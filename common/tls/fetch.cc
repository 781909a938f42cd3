#include "common/tls/fetch.h"

#include <netdb.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "common/tls/key.h"
#include "common/tls/openssl.h"

namespace baton::tls {
namespace {

constexpr int kPatienceS = 10;
// As HTTP/2 has it, which the server wants to hear.
constexpr std::array<unsigned char, 3> kProtocol = {2, 'h', '2'};

class Socket {
 public:
  Socket() = default;
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }

  absl::Status Connect(const std::string& host, int port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int looked = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (looked != 0) return absl::UnavailableError(absl::StrCat(host, ": ", gai_strerror(looked)));
    std::string why = "no address";
    for (const addrinfo* at = found; at != nullptr && fd_ < 0; at = at->ai_next) {
      if (!Try(*at)) why = std::strerror(errno);
    }
    freeaddrinfo(found);
    if (fd_ >= 0) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("nobody answers at ", host, ":", port, ": ", why));
  }

 private:
  bool Try(const addrinfo& address) {
    const int fd = socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    const timeval patience{kPatienceS, 0};  // of the connect too
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, address.ai_addr, address.ai_addrlen) == 0) {
      fd_ = fd;
      return true;
    }
    const int error_number = errno;
    close(fd);
    errno = error_number;
    return false;
  }

  int fd_ = -1;
};

}  // namespace

absl::StatusOr<std::string> FetchAuthority(const std::string& host, int port,
                                           const std::string& fingerprint) {
  Socket socket;
  BATON_RETURN_IF_ERROR(socket.Connect(host, port));
  const std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>> context(SSL_CTX_new(TLS_client_method()));
  const std::unique_ptr<SSL, Free<SSL_free>> ssl(SSL_new(context.get()));
  if (ssl == nullptr) return Failure("start TLS");
  // Not believed: what is shown is held against the fingerprint.
  SSL_set_verify(ssl.get(), SSL_VERIFY_NONE, nullptr);
  SSL_set_alpn_protos(ssl.get(), kProtocol.data(), kProtocol.size());
  SSL_set_tlsext_host_name(ssl.get(), kSchedulerName);
  SSL_set_fd(ssl.get(), socket.fd());
  if (SSL_connect(ssl.get()) != 1) {
    ERR_clear_error();
    return absl::UnavailableError(
        absl::StrCat("what answers at ", host, ":", port,
                     " does not speak TLS; is it a scheduler "
                     "that listens off loopback (baton-scheduler --listen)?"));
  }
  STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl.get());
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    std::string pem = ToPem(sk_X509_value(chain, i));
    const absl::StatusOr<std::string> shown = Fingerprint(pem);
    if (shown.ok() && *shown == fingerprint) return pem;
  }
  return absl::PermissionDeniedError(
      absl::StrCat("the scheduler at ", host, ":", port,
                   " is not the one that this token is from: "
                   "it has another certificate authority. Use a token of that scheduler, and if "
                   "it should be the same, somebody else answers in its place"));
}

}  // namespace baton::tls
