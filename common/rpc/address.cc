#include "common/rpc/address.h"

#include <arpa/inet.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace baton::rpc {

std::string Address::ToString() const {
  if (host.find(':') != std::string::npos) return absl::StrCat("[", host, "]:", port);
  return absl::StrCat(host, ":", port);
}

absl::StatusOr<Address> ParseAddress(absl::string_view text) {
  const auto wrong = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat(
        "address \"", text, "\": ", why, "; write HOST:PORT, for example 127.0.0.1:7070"));
  };
  Address address;
  absl::string_view port;
  if (!text.empty() && text[0] == '[') {
    const size_t close = text.find(']');
    if (close == absl::string_view::npos) return wrong("the bracket is not closed");
    address.host = std::string(text.substr(1, close - 1));
    port = text.substr(close + 1);
    if (port.empty() || port[0] != ':') return wrong("it has no port");
    port.remove_prefix(1);
  } else {
    const size_t colon = text.rfind(':');
    if (colon == absl::string_view::npos) return wrong("it has no port");
    address.host = std::string(text.substr(0, colon));
    port = text.substr(colon + 1);
    if (address.host.find(':') != std::string::npos) {
      return wrong("an IPv6 host needs brackets, as in [::1]:7070");
    }
  }
  if (address.host.empty()) return wrong("it has no host");
  if (!absl::SimpleAtoi(port, &address.port) || address.port < 0 || address.port > 65535) {
    return wrong("the port is not a number from 0 to 65535");
  }
  return address;
}

bool IsLoopback(absl::string_view host) {
  if (host == "localhost") return true;
  const std::string text(host);
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  if (inet_pton(AF_INET6, text.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return false;
}

absl::Status CheckMayBeInsecure(const Address& address) {
  if (IsLoopback(address.host)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      address.ToString(),
      " is not on this machine, so it is spoken to by TLS and with a token only: a person runs ",
      "`baton login ", address.ToString(), "`, a worker is started by the line that an admin's ",
      "`baton join` prints"));
}

}  // namespace baton::rpc
