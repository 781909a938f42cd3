#include "common/tls/token.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace baton::tls {
namespace {

constexpr char kPerson[] = "token", kJoin[] = "join";

bool IsHex(absl::string_view text, size_t size) {
  return text.size() == size && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

std::string Token::Text() const {
  return absl::StrCat("baton-", kind == Kind::kJoin ? kJoin : kPerson, "-", id, "-", secret, "-",
                      fingerprint);
}

absl::StatusOr<Token> ParseToken(absl::string_view text) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(absl::StripAsciiWhitespace(text), '-');
  if (parts.size() != 5 || parts[0] != "baton" || (parts[1] != kPerson && parts[1] != kJoin) ||
      !IsHex(parts[2], 8) || !IsHex(parts[3], 32) || !IsHex(parts[4], 32)) {
    return absl::InvalidArgumentError(
        "this is no token of Baton: one looks like baton-token-..-..-.. and is printed by `baton "
        "token create` (baton-join-..-..-.. by `baton join`); copy all of it");
  }
  Token token;
  token.kind = parts[1] == kJoin ? Token::Kind::kJoin : Token::Kind::kPerson;
  token.id = std::string(parts[2]);
  token.secret = std::string(parts[3]);
  token.fingerprint = std::string(parts[4]);
  return token;
}

}  // namespace baton::tls
