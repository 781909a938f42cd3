// Addresses of programs: "host:port". Without TLS only loopback is served or dialled.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::rpc {

struct Address {
  std::string host;  // a name or an IP address, without brackets
  int port = 0;      // 0: the system picks one (servers only)

  // With brackets around an IPv6 host.
  std::string ToString() const;
};

// InvalidArgument says what is wrong with the text and shows a good one.
absl::StatusOr<Address> ParseAddress(absl::string_view text);

// "localhost", 127.0.0.0/8 or ::1; any other name counts as reachable from outside.
bool IsLoopback(absl::string_view host);

// FailedPrecondition for an address off loopback, where what is neither encrypted nor authenticated
// could be heard and said by others. It tells a client how to get what it needs.
absl::Status CheckMayBeInsecure(const Address& address);

}  // namespace baton::rpc
