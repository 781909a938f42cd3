// Who may call what. Pure.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::access {

// Of a person, each with all that the one before it may; a worker has what its work needs.
enum class Role { kNobody, kViewer, kUser, kAdmin, kWorker };

absl::string_view Name(Role role);
// Of a person; InvalidArgument lists them.
absl::StatusOr<Role> ParseRole(absl::string_view name);

// `method` as gRPC has it, "/baton.v1.Client/GetJob". Unauthenticated for nobody, PermissionDenied
// for a role that may not.
absl::Status MayCall(Role role, absl::string_view method);

}  // namespace baton::access
