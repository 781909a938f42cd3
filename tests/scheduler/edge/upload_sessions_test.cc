#include "scheduler/edge/upload_sessions.h"

#include <gtest/gtest.h>

#include "tests/scheduler/edge/fixture.h"

namespace baton::edge {
namespace {

TEST(UploadSessions, PinWhatTheyWereToldUntilTheyExpire) {
  ManualClock clock;
  UploadSessions sessions(clock,
                          {.sessions_max = 2, .chunks_per_session_max = 3, .idle_ms = 1'000});
  const std::string one = sessions.Begin().value();
  const std::string two = sessions.Begin().value();
  EXPECT_EQ(sessions.Begin().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(sessions.Pin(one, {"a", "b"}).ok());
  EXPECT_TRUE(sessions.Pin(two, {"c"}).ok());
  EXPECT_EQ(sessions.Pinned(), (std::set<std::string>{"a", "b", "c"}));
  EXPECT_EQ(sessions.Pin(one, {"d", "e"}).code(), absl::StatusCode::kResourceExhausted);
  clock.Advance(800);
  EXPECT_TRUE(sessions.Pin(two, {}).ok());
  clock.Advance(800);
  EXPECT_EQ(sessions.Pinned(), (std::set<std::string>{"c"}));
  EXPECT_EQ(sessions.Pin(one, {"a"}).code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(sessions.Begin().ok());
}

}  // namespace
}  // namespace baton::edge
