#include "scheduler/edge/watch_hub.h"

#include <gtest/gtest.h>

#include "common/mailbox.h"

namespace baton::edge {
namespace {

constexpr int64_t kNever = 3'600'000;

class WatchHubTest : public testing::Test {
 protected:
  std::function<void()> Poke(int who) {
    return [this, who] { (void)pokes_.TryPush(who); };
  }

  // Who is woken next; -1: nobody in a minute.
  int Next() {
    if (seen_.empty()) seen_ = pokes_.TakeAll(std::chrono::minutes(1));
    if (seen_.empty()) return -1;
    const int who = seen_.front();
    seen_.erase(seen_.begin());
    return who;
  }

  Mailbox<int> pokes_{1'000};
  std::vector<int> seen_;
};

TEST_F(WatchHubTest, WhoHasLongHeardNothingIsWokenAtOnce) {
  WatchHub hub({.interval_ms = kNever, .bytes_interval_ms = 1, .idle_interval_ms = kNever});
  ASSERT_TRUE(hub.Add("a", WatchHub::Pace::kBytes, Poke(1)).ok());
  ASSERT_TRUE(hub.Add("b", WatchHub::Pace::kJob, Poke(2)).ok());
  EXPECT_EQ(Next(), 1);  // once after it was added
  for (int i = 0; i < 10; ++i) {
    hub.Changed("b");  // its pace lets it wait for an hour
    hub.Changed("a");
    EXPECT_EQ(Next(), 1);
  }
}

TEST_F(WatchHubTest, OnlyFollowersOfTheJobAreWoken) {
  WatchHub hub({.interval_ms = 1, .bytes_interval_ms = 1, .idle_interval_ms = kNever});
  const auto first = hub.Add("a", WatchHub::Pace::kJob, Poke(1));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(Next(), 1);
  ASSERT_TRUE(hub.Add("b", WatchHub::Pace::kJob, Poke(2)).ok());
  EXPECT_EQ(Next(), 2);
  hub.Changed("nobody");
  hub.Changed("a");
  EXPECT_EQ(Next(), 1);
  hub.Remove(*first);
  hub.Changed("a");
  hub.Changed("b");
  EXPECT_EQ(Next(), 2);
}

TEST_F(WatchHubTest, WithoutAChangeOneIsWokenNowAndThen) {
  WatchHub hub({.interval_ms = 1, .bytes_interval_ms = 1, .idle_interval_ms = 2});
  ASSERT_TRUE(hub.Add("a", WatchHub::Pace::kJob, Poke(1)).ok());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Next(), 1);
}

TEST_F(WatchHubTest, NotesWakeAndAreHandedOutOnce) {
  WatchHub hub({.interval_ms = 1, .bytes_interval_ms = 1, .idle_interval_ms = kNever});
  const auto watch = hub.Add("a", WatchHub::Pace::kJob, Poke(1));
  ASSERT_TRUE(watch.ok());
  EXPECT_EQ(Next(), 1);
  state::Note note;
  note.job = "a";
  note.text = "placed";
  hub.AddNotes({note});
  EXPECT_EQ(Next(), 1);
  EXPECT_EQ(hub.TakeNotes(*watch).size(), 1u);
  EXPECT_TRUE(hub.TakeNotes(*watch).empty());
}

}  // namespace
}  // namespace baton::edge
