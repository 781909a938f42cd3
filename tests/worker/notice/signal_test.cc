#include "worker/notice/signal.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

namespace baton::worker {
namespace {

TEST(SignalNotice, TheSecondSignalHastensTheThirdDoesNotWait) {
  const auto source = SignalNotice::Create(25'000);
  ASSERT_TRUE(source.ok());
  EXPECT_TRUE((*source)->Poll(0).empty());
  for (const int64_t grace_ms : {25'000, 1'000, 0}) {
    pthread_kill(pthread_self(), SIGTERM);
    const std::vector<Event> events = (*source)->Poll(100);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(std::get<ShutdownAsked>(events[0]).deadline_ms, 100 + grace_ms);
  }
}

}  // namespace
}  // namespace baton::worker
