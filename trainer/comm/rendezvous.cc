#include "trainer/comm/rendezvous.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/contract.h"
#include "trainer/comm/folder_rendezvous.h"
#include "trainer/comm/socket_rendezvous.h"

namespace baton::trainer {

absl::StatusOr<std::unique_ptr<Rendezvous>> OpenRendezvous(const RendezvousOptions& options) {
  absl::string_view path = options.address;
  if (absl::ConsumePrefix(&path, contract::kRendezvousSocketPrefix) && !path.empty()) {
    return OpenSocketRendezvous(std::string(path), options);
  }
  path = options.address;
  if (absl::ConsumePrefix(&path, contract::kRendezvousFolderPrefix) && !path.empty()) {
    return OpenFolderRendezvous(std::string(path), options);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("rendezvous \"", options.address,
                   "\" is neither unix:PATH nor dir:PATH; more than one rank needs one of them"));
}

}  // namespace baton::trainer
