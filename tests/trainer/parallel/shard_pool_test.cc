#include "trainer/parallel/shard_pool.h"

#include <atomic>
#include <thread>

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

TEST(ShardPoolTest, APoolThatGrewUsesItsNewThreads) {
  ShardPool pool(1);
  pool.ForEach(5, [](int, int worker) { EXPECT_EQ(worker, 0); });
  pool.Grow(3);
  pool.Grow(2);  // it has more already
  EXPECT_EQ(pool.threads(), 3);
  // Three tasks that wait for each other need three threads.
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> here{0};
    pool.ForEach(3, [&](int, int) {
      ++here;
      while (here < 3) std::this_thread::yield();
    });
    EXPECT_EQ(here, 3);
  }
}

TEST(ShardPoolTest, NothingToDoIsDone) {
  ShardPool pool(2);
  pool.ForEach(0, [](int, int) { FAIL(); });
}

}  // namespace
}  // namespace baton::trainer
