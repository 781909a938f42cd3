// What publishers say of a file's bytes, to be held against them.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace baton::client {

struct Checksum {
  enum class Kind {
    kSha256,
    kMd5,  // catches faults, not adversaries; Keras publishes no other
  };
  Kind kind = Kind::kSha256;
  // Lower-case hexadecimal. Of SHA-256 it may be the beginning, at least eight digits, which is all
  // that torch.hub has.
  std::string hex;

  const char* KindName() const { return kind == Kind::kMd5 ? "MD5" : "SHA-256"; }
  bool Matches(absl::string_view whole) const;
};

// Of bytes that arrive in pieces.
class Digest {
 public:
  explicit Digest(Checksum::Kind kind);
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  void Update(absl::string_view bytes);
  // Hexadecimal. The object is spent afterwards.
  std::string FinishHex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reads the file through. NotFound, or DataLoss with both digests.
absl::Status VerifyChecksum(const std::string& path, const Checksum& checksum);

}  // namespace baton::client
