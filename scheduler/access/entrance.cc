#include "scheduler/access/entrance.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/atomic_file.h"
#include "common/log.h"
#include "common/status.h"

namespace baton::access {
namespace {

constexpr absl::string_view kWhoAmI = "/baton.v1.Access/WhoAmI";

}  // namespace

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

Entrance::Entrance(Authority authority, std::unique_ptr<TokenBook> tokens, const Clock& clock,
                   std::string first_token_file)
    : authority_(std::move(authority)),
      tokens_(std::move(tokens)),
      clock_(clock),
      first_token_file_(std::move(first_token_file)) {
  const absl::StatusOr<std::string> text = ReadFile(first_token_file_);
  const absl::StatusOr<tls::Token> token = tls::ParseToken(text.ok() ? *text : "");
  if (token.ok()) first_token_id_ = token->id;
}

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
                         "/admin.token; the file is removed when that login is first used"));
  }
  return std::unique_ptr<Entrance>(
      new Entrance(std::move(authority), std::move(tokens), clock, folder + "/admin.token"));
}

// A login asks who it is before it keeps the token; whatever comes later shows that it is kept.
void Entrance::RemoveFirstToken(const Holder& holder, absl::string_view method) const {
  if (method == kWhoAmI) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (first_token_id_.empty() || holder.id != first_token_id_) return;
  first_token_id_.clear();
  if (unlink(first_token_file_.c_str()) == 0) {
    LogInfo(absl::StrCat("the first admin has logged in: removed ", first_token_file_));
  } else if (errno != ENOENT) {
    LogWarning(absl::StrCat(ErrnoStatus(errno, "removing " + first_token_file_).message(),
                            "; it holds an admin's token: remove it yourself"));
  }
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
    RemoveFirstToken(holder, method);
  }
  BATON_RETURN_IF_ERROR(MayCall(caller.role, method));
  return caller;
}

}  // namespace baton::access
