#include "client/context.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "client/local/cluster.h"
#include "client/logins.h"
#include "common/status.h"

namespace baton::client {

std::atomic<bool> Context::interrupted{false};
std::atomic<int> Context::signal{0};

namespace {

absl::StatusOr<Credentials> CredentialsFor(const std::string& address, const Logins& logins) {
  if (const Login* login = logins.At(address); login != nullptr) {
    return Credentials{login->authority_pem, login->token};
  }
  const char* token = std::getenv("BATON_TOKEN");
  if (token == nullptr || *token == '\0') return Credentials{};
  BATON_ASSIGN_OR_RETURN(const Login login, TrustByToken(address, token));
  return Credentials{login.authority_pem, login.token};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Api>> Context::Connect() const {
  const char* environment = std::getenv("BATON_ADDRESS");
  BATON_ASSIGN_OR_RETURN(const Logins logins, ReadLogins());
  std::string address;
  std::string origin;
  if (!address_flag.empty()) {
    address = address_flag;
    origin = "--address";
  } else if (environment != nullptr && *environment != '\0') {
    address = environment;
    origin = "BATON_ADDRESS";
  } else if (const Login* login = logins.Find(logins.current); login != nullptr) {
    address = login->address;
    origin = absl::StrCat("the context ", login->name, " in use");
  } else {
    const absl::StatusOr<LocalCluster> local = NewestLocal();
    if (!local.ok()) {
      return absl::UnavailableError(
          "no scheduler is known; start one here with `baton local up`, log in to one with `baton "
          "login HOST:PORT`, or name one with --address HOST:PORT or BATON_ADDRESS");
    }
    address = local->address;
    origin = absl::StrCat("the newest `baton local up`, in ", local->folder);
  }
  const absl::StatusOr<Credentials> credentials = CredentialsFor(address, logins);
  auto api = credentials.ok() ? Api::Connect(address, *credentials)
                              : absl::StatusOr<std::unique_ptr<Api>>(credentials.status());
  if (api.ok()) return api;
  return absl::Status(api.status().code(), absl::StrCat(std::string(api.status().message()),
                                                        " (the address is from ", origin, ")"));
}

void Context::Finish(const absl::Status& status) {
  if (status.ok()) return;
  std::fflush(stdout);
  std::fprintf(stderr, "baton: %s\n", std::string(status.message()).c_str());
  exit_code = ExitCodeOf(status);
  if (absl::IsCancelled(status) && interrupted.load()) exit_code = 128 + signal.load();
}

void Context::FinishStdout() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  if (errno == EPIPE) return;  // who reads has had enough
  // Of an earlier write the cause is forgotten.
  std::fprintf(stderr, "baton: could not write the output%s%s; is the disk full?\n",
               errno == 0 ? "" : ": ", errno == 0 ? "" : std::strerror(errno));
  if (exit_code == kOk) exit_code = kInfrastructure;
}

}  // namespace baton::client
