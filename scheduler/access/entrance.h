// Who comes in: the authority and the tokens of a scheduler that speaks TLS.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "scheduler/access/authority.h"
#include "scheduler/access/rules.h"
#include "scheduler/access/token_book.h"

namespace baton::access {

// A caller as the services see it, in one word: "admin:ada", "worker:NODE_ID".
struct Caller {
  Role role = Role::kNobody;
  std::string name;  // of the person, or the node's id

  std::string Word() const;
  static Caller OfWord(absl::string_view word);
};

// Thread-safe.
class Entrance {
 public:
  // In DATA_DIR/access, which only its owner may read. At the first time it makes an admin's token
  // and leaves it there, in admin.token, for the admin to log in with; with the first call behind
  // that login the file goes.
  static absl::StatusOr<std::unique_ptr<Entrance>> Open(const std::string& data_dir,
                                                        const Clock& clock);

  const Authority& authority() const { return authority_; }
  TokenBook& tokens() { return *tokens_; }
  int64_t now_unix_s() const;

  // Who it is that shows this name of a certificate, or this token; an error where such a one may
  // not call the method.
  absl::StatusOr<Caller> Admit(absl::string_view method, absl::string_view certificate,
                               absl::string_view token) const;

 private:
  Entrance(Authority authority, std::unique_ptr<TokenBook> tokens, const Clock& clock,
           std::string first_token_file);
  void RemoveFirstToken(const Holder& holder, absl::string_view method) const;

  const Authority authority_;
  const std::unique_ptr<TokenBook> tokens_;
  const Clock& clock_;
  const std::string first_token_file_;
  mutable std::mutex mutex_;
  mutable std::string first_token_id_;  // guarded by mutex_; empty: the file is gone
};

}  // namespace baton::access
