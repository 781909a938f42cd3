// The cluster's certificate authority: it certifies the scheduler itself and the workers that it
// let in, and nobody else.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/tls/key.h"

namespace baton::access {

class Authority {
 public:
  // The one in `folder`, which only its owner may read (authority.pem and authority.key), made at
  // the first time. An error names the file and says what to do.
  static absl::StatusOr<Authority> Open(const std::string& folder, int64_t now_unix_s);

  const std::string& certificate_pem() const { return certificate_pem_; }
  const std::string& fingerprint() const { return fingerprint_; }

  // A fresh key and certificate of the scheduler, with the authority's own behind it: who joins
  // finds that by its fingerprint.
  absl::StatusOr<tls::Identity> CertifyScheduler(int64_t now_unix_s) const;

  // Of the request only the key is taken, whose owner must have signed it; InvalidArgument
  // otherwise.
  absl::StatusOr<std::string> CertifyWorker(const std::string& request_pem,
                                            const std::string& node_id, int64_t now_unix_s) const;

 private:
  Authority() = default;
  std::string key_pem_, certificate_pem_, fingerprint_;
};

}  // namespace baton::access
