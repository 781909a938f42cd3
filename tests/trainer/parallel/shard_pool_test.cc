#include "trainer/parallel/shard_pool.h"

#include <atomic>

#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

TEST(ShardPoolTest, RunsEveryTaskOnceRoundAfterRound) {
  for (const int threads : {1, 2, 4}) {
    ShardPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int round = 0; round < 200; ++round) {
      std::vector<std::atomic<int>> runs(7);
      pool.ForEach(7, [&](int task, int worker) {
        EXPECT_LT(worker, threads);
        ++runs[task];
      });
      for (const std::atomic<int>& count : runs) EXPECT_EQ(count, 1);
    }
  }
}

TEST(ShardPoolTest, AWorkerRunsOneTaskAtATime) {
  ShardPool pool(3);
  std::vector<int> uses(3);  // not atomic: two tasks on one worker would be a race
  for (int round = 0; round < 100; ++round) {
    pool.ForEach(10, [&](int, int worker) { ++uses[worker]; });
  }
  EXPECT_EQ(uses[0] + uses[1] + uses[2], 1000);
}

TEST(ShardPoolTest, NothingToDoIsDone) {
  ShardPool pool(2);
  pool.ForEach(0, [](int, int) { FAIL(); });
}

}  // namespace
}  // namespace baton::trainer
