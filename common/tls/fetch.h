// How who has only a token comes to trust a scheduler: the server shows its authority's
// certificate, and it is the right one if it has the token's fingerprint.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace baton::tls {

// The authority's certificate (PEM) from the scheduler at host and port. Sends nothing secret.
// Unavailable when nobody answers there, or not by TLS; PermissionDenied when the server has
// another authority.
absl::StatusOr<std::string> FetchAuthority(const std::string& host, int port,
                                           const std::string& fingerprint);

}  // namespace baton::tls
