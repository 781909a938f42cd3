// The tokens that were given out, in a file that only its owner may read. Of a secret it keeps only
// the SHA-256.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tls/token.h"
#include "scheduler/access/rules.h"

namespace baton::access {

// Who a token is for.
struct Holder {
  std::string id;    // of the token
  std::string name;  // of the person; of a join: whatever its admin called it
  Role role = Role::kNobody;
  int64_t created_unix_s = 0;
  int64_t end_unix_s = 0;  // 0: none
};

// Thread-safe. What is answered is on disk.
class TokenBook {
 public:
  // The book in `path`, empty where there is none. `fingerprint`: of the authority that tokens
  // name.
  static absl::StatusOr<std::unique_ptr<TokenBook>> Open(const std::string& path,
                                                         const std::string& fingerprint);

  // InvalidArgument when the name is none; RESOURCE_EXHAUSTED beyond so many tokens.
  absl::StatusOr<std::string> Create(tls::Token::Kind kind, const Holder& holder);

  // A person's token. UNAUTHENTICATED when it is unknown, revoked or past its end, in words.
  absl::StatusOr<Holder> Check(absl::string_view text, int64_t now_unix_s) const;

  // A join's token, which is then of no more use. Codes as Check.
  absl::Status Redeem(absl::string_view text, int64_t now_unix_s);

  // Of people, by their creation.
  std::vector<Holder> List() const;
  // NOT_FOUND lists what there is; FAILED_PRECONDITION for the last admin's.
  absl::Status Revoke(const std::string& id);

 private:
  struct Entry {
    Holder holder;
    tls::Token::Kind kind = tls::Token::Kind::kPerson;
    std::string secret_sha256;
  };

  TokenBook(std::string path, std::string fingerprint);
  absl::Status Load(const std::string& text);
  absl::StatusOr<tls::Token> Known(absl::string_view text, tls::Token::Kind kind,
                                   int64_t now_unix_s) const;
  // Replaces the book if that can be stored.
  absl::Status Keep(std::map<std::string, Entry> entries);

  const std::string path_, fingerprint_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // by id; under the mutex
};

}  // namespace baton::access
