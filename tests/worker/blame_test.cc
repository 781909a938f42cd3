#include "worker/blame.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "common/atomic_file.h"

namespace baton::worker {
namespace {

TEST(Blame, WhatThisMachineRefusesIsNeverTheJobs) {
  for (const int error :
       {ENOENT, ENOSPC, EDQUOT, EIO, EMFILE, ENFILE, ENOMEM, EACCES, EROFS, ENOTDIR, EINVAL}) {
    for (const Part part :
         {Part::kFolder, Part::kPackage, Part::kData, Part::kCheckpoint, Part::kEnvironment}) {
      EXPECT_FALSE(IsJobsFault(part, ErrnoStatus(error, "open x"))) << error;
    }
  }
}

TEST(Blame, ByPartAndCode) {
  const absl::Status missing = absl::NotFoundError("x"), damaged = absl::DataLossError("x"),
                     wrong = absl::InvalidArgumentError("x"), away = absl::UnavailableError("x"),
                     lacks = absl::FailedPreconditionError("x"), ours = absl::InternalError("x"),
                     full = absl::ResourceExhaustedError("x");
  for (const Part part : {Part::kPackage, Part::kData, Part::kCheckpoint}) {
    for (const auto& status : {missing, damaged, wrong}) EXPECT_TRUE(IsJobsFault(part, status));
    for (const auto& status : {away, ours, full, lacks}) EXPECT_FALSE(IsJobsFault(part, status));
  }
  for (const Part part : {Part::kFolder, Part::kEnvironment}) {
    EXPECT_TRUE(IsJobsFault(part, wrong));
    for (const auto& status : {missing, damaged, away, ours, full, lacks}) {
      EXPECT_FALSE(IsJobsFault(part, status));
    }
  }
}

}  // namespace
}  // namespace baton::worker
