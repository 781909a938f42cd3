#include "client/patiently.h"

#include <gtest/gtest.h>

namespace baton::client {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(Patiently, GivesUpWhenNobodyAnswersAndNotBefore) {
  int calls = 0;
  Patience none(milliseconds(0));
  const auto away = [&] { return ++calls, absl::UnavailableError("away"); };
  EXPECT_TRUE(absl::IsUnavailable(Patiently(away, none)));
  EXPECT_EQ(calls, 1);
  Patience some(hours(1));
  const auto comes_back = [&] {
    return ++calls < 4 ? absl::UnavailableError("away") : absl::OkStatus();
  };
  EXPECT_TRUE(Patiently(comes_back, some).ok());
  EXPECT_EQ(calls, 4);
}

// Who follows a job of days waits as long for a scheduler that is started again as one of seconds.
TEST(Patience, BeginsAnewAfterAStreamThatWasThere) {
  const auto now = steady_clock::now();
  Patience patience(milliseconds(0));
  patience.AfterStream(now, false);
  EXPECT_TRUE(patience.ended()) << "nobody was there";
  Patience long_one(hours(1));
  EXPECT_FALSE(long_one.ended());
  // The limit of both is over at once, so that what begins anew is seen by the time that is left.
  Patience renewed(milliseconds(200));
  while (!renewed.ended()) {
  }
  renewed.AfterStream(now, false);
  EXPECT_TRUE(renewed.ended());
  renewed.AfterStream(now, true);
  EXPECT_FALSE(renewed.ended());
  Patience silent(milliseconds(200));
  while (!silent.ended()) {
  }
  silent.AfterStream(steady_clock::now() - hours(2), false);
  EXPECT_FALSE(silent.ended()) << "a script that says nothing for hours";
}

}  // namespace
}  // namespace baton::client
