// Encrypts what the scheduler keeps for jobs and must not be readable on its disk, in a backup or
// in an export. AES-256-GCM under keys that follow from one key file; each text has a nonce of its
// own and is bound to a name (a job's id), under which alone it opens.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::access {

// Thread-safe: nothing changes after Open.
class Sealer {
 public:
  // The key file's 32 bytes; makes it (0600, random) where it is missing. FailedPrecondition for a
  // file of another length, or one that others than its owner may read.
  static absl::StatusOr<std::unique_ptr<Sealer>> Open(const std::string& key_file);
  ~Sealer();
  Sealer(const Sealer&) = delete;
  Sealer& operator=(const Sealer&) = delete;

  // True when Open made the file: what was sealed before does not open any more.
  bool made_key() const { return made_key_; }

  // nonce (12 bytes), ciphertext, tag (16).
  absl::StatusOr<std::string> Seal(absl::string_view text, absl::string_view name) const;
  // DataLoss when it was sealed under another key or name, or was changed.
  absl::StatusOr<std::string> Unseal(absl::string_view sealed, absl::string_view name) const;

  // HMAC-SHA-256 under a key of its own, in hexadecimal: tells equal texts apart from others and
  // nothing else about them. The same after a restart.
  std::string Mac(absl::string_view text) const;

 private:
  using Key = std::array<unsigned char, 32>;
  Sealer(absl::string_view master, bool made_key);
  Key sealing_key_;
  Key mac_key_;
  const bool made_key_;
};

}  // namespace baton::access
