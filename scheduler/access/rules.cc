#include "scheduler/access/rules.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace baton::access {
namespace {

constexpr absl::string_view kClient = "/baton.v1.Client/", kWorker = "/baton.v1.Worker/",
                            kBlob = "/baton.v1.Blob/", kTunnel = "/baton.v1.Tunnel/",
                            kSweeps = "/baton.v1.Sweeps/", kDataSets = "/baton.v1.DataSets/",
                            kEnvironments = "/baton.v1.Environments/";
// A token is in its request, or the caller is certified already: it looks itself.
constexpr absl::string_view kEnroll = "/baton.v1.Access/Enroll";
constexpr absl::string_view kServe = "/baton.v1.Tunnel/Serve";

constexpr std::array<absl::string_view, 13> kViewing = {
    "/baton.v1.Client/GetServer",     "/baton.v1.Client/GetJob",      "/baton.v1.Client/ListJobs",
    "/baton.v1.Client/WatchJob",      "/baton.v1.Client/ReadStreams", "/baton.v1.Client/ListNodes",
    "/baton.v1.Client/Explain",       "/baton.v1.Access/WhoAmI",      "/baton.v1.Blob/GetManifest",
    "/baton.v1.Blob/GetChunks",       "/baton.v1.Sweeps/GetSweep",    "/baton.v1.Sweeps/ListSweeps",
    "/baton.v1.DataSets/ListDataSets"};
constexpr std::array<absl::string_view, 2> kRunningTheCluster = {"/baton.v1.Client/DrainNode",
                                                                 "/baton.v1.Client/ExportLog"};

template <class List>
bool Has(const List& list, absl::string_view method) {
  return std::find(list.begin(), list.end(), method) != list.end();
}

// What only workers call.
bool IsWorkers(absl::string_view method) {
  return absl::StartsWith(method, kWorker) || absl::StartsWith(method, kEnvironments) ||
         method == kServe;
}

// The least that a person needs.
Role Needed(absl::string_view method) {
  if (Has(kViewing, method)) return Role::kViewer;
  if (Has(kRunningTheCluster, method)) return Role::kAdmin;
  for (const absl::string_view service : {kClient, kBlob, kTunnel, kSweeps, kDataSets}) {
    if (absl::StartsWith(method, service)) return Role::kUser;
  }
  return Role::kAdmin;
}

}  // namespace

absl::string_view Name(Role role) {
  constexpr std::array<absl::string_view, 5> names = {"nobody", "viewer", "user", "admin",
                                                      "worker"};
  return names[static_cast<size_t>(role)];
}

absl::StatusOr<Role> ParseRole(absl::string_view name) {
  for (const Role role : {Role::kViewer, Role::kUser, Role::kAdmin}) {
    if (Name(role) == name) return role;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", name.substr(0, 40), "' is no role; there are viewer, user and admin"));
}

absl::Status MayCall(Role role, absl::string_view method) {
  if (method == kEnroll) return absl::OkStatus();
  if (role == Role::kNobody) {
    return absl::UnauthenticatedError(
        "this scheduler wants to know who calls; run `baton login ADDRESS` with a token of an "
        "admin's `baton token create`");
  }
  if (role == Role::kWorker) {
    if (IsWorkers(method) || absl::StartsWith(method, kBlob)) {
      return absl::OkStatus();
    }
    return absl::PermissionDeniedError("a worker's certificate is not for this call");
  }
  if (IsWorkers(method)) {
    return absl::PermissionDeniedError(
        "a worker is let in by its certificate, not by a person's token; an admin's `baton join` "
        "prints the line that makes one");
  }
  const Role needed = Needed(method);
  if (role >= needed) return absl::OkStatus();
  const absl::string_view call = method.substr(method.rfind('/') + 1);
  return absl::PermissionDeniedError(absl::StrCat(call, " needs the role ", Name(needed),
                                                  ", and your token has ", Name(role),
                                                  "; ask an admin for one (`baton token create`)"));
}

}  // namespace baton::access
