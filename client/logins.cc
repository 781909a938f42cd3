#include "client/logins.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/rpc/address.h"
#include "common/status.h"
#include "common/tls/fetch.h"
#include "common/tls/token.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

std::string Folder() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && *config != '\0') return absl::StrCat(config, "/baton");
  const char* home = std::getenv("HOME");
  return absl::StrCat(home == nullptr ? "/tmp" : home, "/.config/baton");
}

std::string File() { return Folder() + "/contexts.json"; }

}  // namespace

const Login* Logins::Find(const std::string& name) const {
  const auto at =
      std::find_if(all.begin(), all.end(), [&](const Login& l) { return l.name == name; });
  return at == all.end() ? nullptr : &*at;
}

const Login* Logins::At(const std::string& address) const {
  const auto at =
      std::find_if(all.begin(), all.end(), [&](const Login& l) { return l.address == address; });
  return at == all.end() ? nullptr : &*at;
}

absl::StatusOr<Logins> ReadLogins() {
  const absl::StatusOr<std::string> text = ReadFile(File());
  if (absl::IsNotFound(text.status())) return Logins{};
  BATON_RETURN_IF_ERROR(text.status());
  Logins logins;
  try {
    const auto json = nlohmann::json::parse(*text);
    logins.current = json.at("current").get<std::string>();
    for (const auto& item : json.at("contexts")) {
      logins.all.push_back(
          {item.at("name").get<std::string>(), item.at("address").get<std::string>(),
           item.at("token").get<std::string>(), item.at("authority").get<std::string>()});
    }
  } catch (const nlohmann::json::exception&) {
    return absl::FailedPreconditionError(
        absl::StrCat(File(), " is damaged; remove it and `baton login` again"));
  }
  return logins;
}

absl::Status WriteLogins(const Logins& logins) {
  auto contexts = nlohmann::ordered_json::array();
  for (const Login& login : logins.all) {
    contexts.push_back({{"name", login.name},
                        {"address", login.address},
                        {"token", login.token},
                        {"authority", login.authority_pem}});
  }
  const nlohmann::ordered_json json = {{"current", logins.current},
                                       {"contexts", std::move(contexts)}};
  std::error_code error;
  std::filesystem::create_directories(Folder(), error);
  if (error) return ErrnoStatus(error.value(), "make the folder " + Folder());
  // Tokens are in it.
  if (::chmod(Folder().c_str(), 0700) != 0) return ErrnoStatus(errno, Folder());
  return WriteFileAtomically(File(), json.dump(2) + "\n");
}

absl::StatusOr<Login> TrustByToken(const std::string& address, const std::string& token) {
  BATON_ASSIGN_OR_RETURN(const rpc::Address parsed, rpc::ParseAddress(address));
  BATON_ASSIGN_OR_RETURN(const tls::Token read, tls::ParseToken(token));
  if (read.kind == tls::Token::Kind::kJoin) {
    return absl::InvalidArgumentError(
        "this is a join's token, which lets a worker in and no person; log in with one of `baton "
        "token create`");
  }
  Login login{"", address, read.Text(), ""};
  BATON_ASSIGN_OR_RETURN(login.authority_pem,
                         tls::FetchAuthority(parsed.host, parsed.port, read.fingerprint));
  return login;
}

}  // namespace baton::client
