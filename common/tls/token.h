// The tokens that people and joining workers show: who they are, and by which authority the
// scheduler proves itself to them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::tls {

// As text: baton-KIND-ID-SECRET-FINGERPRINT, the last three in hexadecimal.
struct Token {
  enum class Kind { kPerson, kJoin };
  Kind kind = Kind::kPerson;
  std::string id;           // 8 characters, no secret
  std::string secret;       // 32
  std::string fingerprint;  // 32, of the authority (key.h)

  std::string Text() const;
};

// InvalidArgument says what it should look like, and never what was given.
absl::StatusOr<Token> ParseToken(absl::string_view text);

}  // namespace baton::tls
