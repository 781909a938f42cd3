#include "worker/notice/machine_idle.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace baton::worker {
namespace {

TEST(MachineIdle, IsOnlyWhereNoWorkerHasTasks) {
  const std::string file = testing::TempDir() + "/busy." + std::to_string(getpid());
  {
    MachineIdle one(file);
    MachineIdle other(file);
    EXPECT_TRUE(one.Set(true));
    EXPECT_TRUE(other.Set(true));
    EXPECT_FALSE(one.Set(false));
    EXPECT_FALSE(other.Set(true)) << "the first one has tasks";
    EXPECT_FALSE(other.Set(false));
    EXPECT_FALSE(one.Set(true)) << "the second one has";
    EXPECT_TRUE(other.Set(true));
    EXPECT_TRUE(one.Set(true));
    EXPECT_FALSE(one.Set(false));
  }
  MachineIdle next(file);
  EXPECT_TRUE(next.Set(true)) << "what a worker held goes with it";
  unlink(file.c_str());
}

TEST(MachineIdle, IsNotKnownWithoutTheFile) {
  MachineIdle idle("/nowhere/at/all");
  EXPECT_FALSE(idle.Set(true));
}

}  // namespace
}  // namespace baton::worker
