#include "trainer/comm/rendezvous.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/contract.h"
#include "common/status.h"
#include "trainer/comm/folder_rendezvous.h"
#include "trainer/comm/socket_rendezvous.h"

namespace baton::trainer {

absl::Status CheckRendezvousAddress(absl::string_view address) {
  absl::string_view path = address;
  if (absl::ConsumePrefix(&path, contract::kRendezvousSocketPrefix) ||
      absl::ConsumePrefix(&path, contract::kRendezvousFolderPrefix)) {
    if (!path.empty()) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "rendezvous \"", address,
      "\" is neither unix:PATH nor dir:PATH; more than one rank needs one of them, for "
      "example --rendezvous dir:/tmp/meet"));
}

absl::StatusOr<std::unique_ptr<Rendezvous>> OpenRendezvous(const RendezvousOptions& options) {
  BATON_RETURN_IF_ERROR(CheckRendezvousAddress(options.address));
  absl::string_view path = options.address;
  if (absl::ConsumePrefix(&path, contract::kRendezvousSocketPrefix)) {
    return OpenSocketRendezvous(std::string(path), options);
  }
  absl::ConsumePrefix(&path, contract::kRendezvousFolderPrefix);
  return OpenFolderRendezvous(std::string(path), options);
}

}  // namespace baton::trainer
