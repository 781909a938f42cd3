#include "scheduler/access/rules.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace baton::access {
namespace {

constexpr Role kRoles[] = {Role::kNobody, Role::kViewer, Role::kUser, Role::kAdmin, Role::kWorker};

// Who may, one letter a role: viewer, user, admin, worker.
std::string Allowed(const std::string& method) {
  std::string allowed;
  for (const Role role : kRoles) {
    if (MayCall(role, absl::StrCat("/baton.v1.", method)).ok()) allowed += Name(role)[0];
  }
  return allowed;
}

TEST(Rules, SayWhoMayCallWhat) {
  EXPECT_EQ(Allowed("Client/GetJob"), "vua");
  EXPECT_EQ(Allowed("Client/ReadStreams"), "vua");
  EXPECT_EQ(Allowed("Access/WhoAmI"), "vua");
  EXPECT_EQ(Allowed("Client/SubmitJobs"), "ua");
  EXPECT_EQ(Allowed("Client/CancelJob"), "ua");
  EXPECT_EQ(Allowed("Sweeps/GetSweep"), "vua");
  EXPECT_EQ(Allowed("Sweeps/ListSweeps"), "vua");
  EXPECT_EQ(Allowed("Sweeps/SubmitSweep"), "ua");
  EXPECT_EQ(Allowed("Sweeps/StopSweep"), "ua");
  EXPECT_EQ(Allowed("Sweeps/DeleteSweep"), "ua");
  EXPECT_EQ(Allowed("Client/DrainNode"), "a");
  EXPECT_EQ(Allowed("Client/ExportLog"), "a");
  EXPECT_EQ(Allowed("Access/CreateToken"), "a");
  EXPECT_EQ(Allowed("Access/RevokeToken"), "a");
  EXPECT_EQ(Allowed("Worker/Session"), "w");
  EXPECT_EQ(Allowed("Environments/Find"), "w");
  EXPECT_EQ(Allowed("Environments/Register"), "w") << "what others are going to run";
  EXPECT_EQ(Allowed("Tunnel/Open"), "ua");
  EXPECT_EQ(Allowed("Tunnel/Serve"), "w");
  EXPECT_EQ(Allowed("Blob/GetChunks"), "vuaw");
  EXPECT_EQ(Allowed("Blob/PutChunks"), "uaw");
  EXPECT_EQ(Allowed("DataSets/PutDataSet"), "ua");
  EXPECT_EQ(Allowed("DataSets/ListDataSets"), "vua");
  EXPECT_EQ(Allowed("DataSets/RemoveDataSet"), "ua");
  EXPECT_EQ(Allowed("Access/Enroll"), "nvuaw") << "it looks itself";
}

TEST(Rules, WhatIsNewIsNotForEverybody) {
  EXPECT_EQ(Allowed("Client/Whatever"), "ua");
  EXPECT_EQ(Allowed("Secrets/Read"), "a");
  EXPECT_EQ(Allowed(""), "a");
  EXPECT_EQ(MayCall(Role::kNobody, "").code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(MayCall(Role::kViewer, "/baton.v1.Client/SubmitJobs").code(),
            absl::StatusCode::kPermissionDenied);
}

TEST(Rules, RolesHaveNames) {
  for (const Role role : {Role::kViewer, Role::kUser, Role::kAdmin}) {
    EXPECT_EQ(*ParseRole(Name(role)), role);
  }
  for (const char* name : {"", "worker", "nobody", "root"}) {
    EXPECT_EQ(ParseRole(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace baton::access
