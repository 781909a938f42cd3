// Keys and certificates as text (PEM), for both ends of a connection. Elliptic curve P-256.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace baton::tls {

// The name that a cluster's authority certifies its scheduler by, wherever that is: who dials
// checks it in the place of a host's name, since the authority certifies no other server.
inline constexpr char kSchedulerName[] = "baton-scheduler";
// In front of a node's id: the name that a worker is certified by.
inline constexpr char kWorkerPrefix[] = "worker:";

// What a connection's end shows and whom it trusts.
struct Identity {
  std::string authority_pem;    // whose certificates are believed
  std::string certificate_pem;  // own; empty: none
  std::string key_pem;
};

absl::StatusOr<std::string> MakeKey();

// A request to certify the key under this name.
absl::StatusOr<std::string> MakeRequest(const std::string& key_pem, const std::string& name);

// The first 128 bits of the SHA-256 of a certificate, as 32 hexadecimal characters.
absl::StatusOr<std::string> Fingerprint(const std::string& certificate_pem);

// When it ends.
absl::StatusOr<int64_t> EndUnixSeconds(const std::string& certificate_pem);

}  // namespace baton::tls
