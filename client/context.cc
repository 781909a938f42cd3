#include "client/context.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "client/local/cluster.h"

namespace baton::client {

std::atomic<bool> Context::interrupted{false};
std::atomic<int> Context::signal{0};

absl::StatusOr<std::unique_ptr<Api>> Context::Connect() const {
  const char* environment = std::getenv("BATON_ADDRESS");
  std::string address;
  std::string origin;
  if (!address_flag.empty()) {
    address = address_flag;
    origin = "--address";
  } else if (environment != nullptr && *environment != '\0') {
    address = environment;
    origin = "BATON_ADDRESS";
  } else {
    const absl::StatusOr<LocalCluster> local = NewestLocal();
    if (!local.ok()) {
      return absl::UnavailableError(
          "no scheduler is known; start one here with `baton local up`, or name one with --address "
          "HOST:PORT or BATON_ADDRESS");
    }
    address = local->address;
    origin = absl::StrCat("the newest `baton local up`, in ", local->folder);
  }
  absl::StatusOr<std::unique_ptr<Api>> api = Api::Connect(address);
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
