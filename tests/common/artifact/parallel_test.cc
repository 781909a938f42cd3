#include "common/artifact/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>

#include "tests/fakes/no_threads.h"

namespace baton::artifact {
namespace {

TEST(DoAll, DoesEachOnceAndTellsInBetween) {
  for (const size_t count : {size_t{0}, size_t{3}, size_t{500}}) {
    std::mutex mutex;
    std::multiset<size_t> done;
    int told = 0;
    const absl::Status all = DoAll(
        count,
        [&](size_t index) {
          std::lock_guard<std::mutex> lock(mutex);
          done.insert(index);
          return absl::OkStatus();
        },
        [&] { ++told; });
    EXPECT_TRUE(all.ok()) << all;
    EXPECT_EQ(done.size(), count);
    EXPECT_EQ(std::set<size_t>(done.begin(), done.end()).size(), count);
    EXPECT_TRUE(told > 0 || count == 0);
  }
}

TEST(DoAll, WhereTheSystemHasNoThreadTheCallersDoesIt) {
  const NoThreads none;
  std::atomic<size_t> done{0};
  const auto work = [&](size_t index) {
    ++done;
    return index < 300 ? absl::OkStatus() : absl::InternalError("three hundred");
  };
  EXPECT_TRUE(DoAll(200, work, [] {}).ok());
  EXPECT_EQ(done, 200u);
  EXPECT_EQ(DoAll(400, work, [] {}).message(), "three hundred");
  EXPECT_EQ(done, 501u) << "nothing more is begun after a failure";
}

}  // namespace
}  // namespace baton::artifact
