#include "worker/disk.h"

#include <gtest/gtest.h>

namespace baton::worker {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

TEST(Disk, WhatAJobAsksForIsThereOrMissing) {
  EXPECT_EQ(DiskMissing(0, 0, "/w"), "");
  EXPECT_EQ(DiskMissing(30 * kGiB, 30 * kGiB, "/w"), "");
  EXPECT_EQ(DiskMissing(30 * kGiB, 12 * kGiB, "/w"),
            "the job needs 30.0 GiB of disk, and 12.0 GiB are free in /w");
}

TEST(Disk, WhatSaysNothingIsToHaveThreeTimesItsDataAndItsCheckpointTwice) {
  EXPECT_EQ(DefaultDiskMissing(10 * kGiB, kGiB, 21 * kGiB, "/w"), "");
  EXPECT_EQ(DefaultDiskMissing(10 * kGiB, kGiB, 21 * kGiB - 1, "/w"),
            "package, data and checkpoint have 11.0 GiB, the job may write 21.0 GiB more, and 21.0 "
            "GiB are free in /w; `disk` in its spec says what it really needs");
  EXPECT_EQ(DefaultDiskMissing(1 << 20, 0, 2 << 20, "/w"), "");
}

}  // namespace
}  // namespace baton::worker
