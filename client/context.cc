#include "client/context.h"

#include <cstdio>
#include <cstdlib>

#include "client/local/cluster.h"

namespace baton::client {

std::atomic<bool> Context::interrupted{false};

absl::StatusOr<std::string> Context::Address() const {
  if (!address_flag.empty()) return address_flag;
  const char* environment = std::getenv("BATON_ADDRESS");
  if (environment != nullptr && *environment != '\0') return std::string(environment);
  const absl::StatusOr<std::string> local = NewestLocalAddress();
  if (local.ok()) return *local;
  return absl::UnavailableError(
      "no scheduler is known; start one here with `baton local up`, or name one with --address "
      "HOST:PORT or BATON_ADDRESS");
}

absl::StatusOr<std::unique_ptr<Api>> Context::Connect() const {
  const absl::StatusOr<std::string> address = Address();
  if (!address.ok()) return address.status();
  return Api::Connect(*address);
}

void Context::Finish(const absl::Status& status) {
  if (status.ok()) return;
  std::fflush(stdout);
  std::fprintf(stderr, "baton: %s\n", std::string(status.message()).c_str());
  exit_code = ExitCodeOf(status);
}

}  // namespace baton::client
