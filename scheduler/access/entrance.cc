#include "scheduler/access/entrance.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/atomic_file.h"
#include "common/log.h"
#include "common/status.h"

namespace baton::access {

std::string Caller::Word() const { return absl::StrCat(Name(role), ":", name); }

Caller Caller::OfWord(absl::string_view word) {
  for (const Role role : {Role::kViewer, Role::kUser, Role::kAdmin, Role::kWorker}) {
    absl::string_view rest = word;
    if (absl::ConsumePrefix(&rest, Name(role)) && absl::ConsumePrefix(&rest, ":")) {
      return {role, std::string(rest)};
    }
  }
  return {};
}

Entrance::Entrance(Authority authority, std::unique_ptr<TokenBook> tokens, const Clock& clock)
    : authority_(std::move(authority)), tokens_(std::move(tokens)), clock_(clock) {}

absl::StatusOr<std::unique_ptr<Entrance>> Entrance::Open(const std::string& data_dir,
                                                         const Clock& clock) {
  const std::string folder = data_dir + "/access";
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, "make the folder " + folder);
  }
  const int64_t now_unix_s = clock.UnixMillis() / 1000;
  BATON_ASSIGN_OR_RETURN(Authority authority, Authority::Open(folder, now_unix_s));
  BATON_ASSIGN_OR_RETURN(std::unique_ptr<TokenBook> tokens,
                         TokenBook::Open(folder + "/tokens.json", authority.fingerprint()));
  if (tokens->List().empty()) {
    BATON_ASSIGN_OR_RETURN(
        const std::string text,
        tokens->Create(tls::Token::Kind::kPerson, {"", "admin", Role::kAdmin, now_unix_s, 0}));
    BATON_RETURN_IF_ERROR(WriteFileAtomically(folder + "/admin.token", text + "\n"));
    LogInfo(absl::StrCat("the first admin's token is in ", folder,
                         "/admin.token: baton login ADDRESS --token-file ", folder,
                         "/admin.token, and remove the file then"));
  }
  return std::unique_ptr<Entrance>(new Entrance(std::move(authority), std::move(tokens), clock));
}

int64_t Entrance::now_unix_s() const { return clock_.UnixMillis() / 1000; }

absl::StatusOr<Caller> Entrance::Admit(absl::string_view method, absl::string_view certificate,
                                       absl::string_view token) const {
  Caller caller;
  if (absl::ConsumePrefix(&certificate, tls::kWorkerPrefix)) {
    caller = {Role::kWorker, std::string(certificate)};
  } else if (!token.empty()) {
    BATON_ASSIGN_OR_RETURN(const Holder holder, tokens_->Check(token, now_unix_s()));
    caller = {holder.role, holder.name};
  }
  BATON_RETURN_IF_ERROR(MayCall(caller.role, method));
  return caller;
}

}  // namespace baton::access
