#include "common/mailbox.h"

#include <gtest/gtest.h>

#include <thread>

namespace baton {
namespace {

using std::chrono::milliseconds;

TEST(Mailbox, KeepsOrderAndRefusesWhenFull) {
  Mailbox<int> box(2);
  EXPECT_TRUE(box.TryPush(1));
  EXPECT_TRUE(box.TryPush(2));
  EXPECT_FALSE(box.TryPush(3));
  EXPECT_EQ(box.TakeAll(milliseconds(0)), (std::vector<int>{1, 2}));
  EXPECT_TRUE(box.TryPush(3));
}

TEST(Mailbox, ClosedBoxGivesTheRestThenNothing) {
  Mailbox<int> box(2);
  EXPECT_TRUE(box.TryPush(1));
  box.Close();
  EXPECT_FALSE(box.TryPush(2));
  EXPECT_EQ(box.TakeAll(milliseconds(1000)).size(), 1u);
  EXPECT_TRUE(box.TakeAll(milliseconds(1000)).empty());
  EXPECT_TRUE(box.closed());
}

TEST(Mailbox, WakesTheConsumer) {
  Mailbox<int> box(8);
  std::thread producer([&] { EXPECT_TRUE(box.TryPush(7)); });
  EXPECT_EQ(box.TakeAll(milliseconds(10000)), (std::vector<int>{7}));
  producer.join();
}

}  // namespace
}  // namespace baton
