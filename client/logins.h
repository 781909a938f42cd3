// The schedulers that this person has logged in to: a file that only its owner may read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace baton::client {

struct Login {
  std::string name;           // of the context
  std::string address;        // "host:port"
  std::string token;          // empty: without TLS
  std::string authority_pem;  // that the scheduler proves itself by
};

struct Logins {
  std::string current;  // name; empty: none is in use
  std::vector<Login> all;

  const Login* Find(const std::string& name) const;
  const Login* At(const std::string& address) const;
};

// Empty when there is no file; an error names it when it can't be read.
absl::StatusOr<Logins> ReadLogins();
absl::Status WriteLogins(const Logins& logins);

// A login by a token alone: the authority's certificate is fetched and held against the token's
// fingerprint. Codes of tls::ParseToken and tls::FetchAuthority.
absl::StatusOr<Login> TrustByToken(const std::string& address, const std::string& token);

}  // namespace baton::client
