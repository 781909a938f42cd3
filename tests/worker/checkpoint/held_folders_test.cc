#include "worker/checkpoint/held_folders.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <vector>

namespace baton::worker {
namespace {

struct Gone {
  std::vector<std::string> names;
  HeldFoldersOptions Options(int64_t idle_bytes_max) {
    HeldFoldersOptions options;
    options.idle_bytes_max = idle_bytes_max;
    options.remove = [this](const std::string& name, int64_t) { names.push_back(name); };
    return options;
  }
};

void Make(HeldFolders& held, const std::string& name, int64_t bytes) {
  ASSERT_FALSE(held.Take(name, nullptr, nullptr).value());
  held.Made(name, bytes);
}

TEST(HeldFolders, TheLongestUnusedGoesFirstAndWhatIsUsedStays) {
  Gone gone;
  HeldFolders held(gone.Options(150));
  for (const char* name : {"a", "b", "c"}) Make(held, name, 100);
  held.Release("b");
  held.Release("a");
  EXPECT_EQ(gone.names, (std::vector<std::string>{"b"}));
  EXPECT_TRUE(held.Take("a", nullptr, nullptr).value());
  held.Release("c");
  EXPECT_EQ(gone.names.size(), 1u) << "one is in use, and the other is within what may stay";
  EXPECT_EQ(held.BytesOf("b"), 0);
  EXPECT_EQ(held.BytesOf("c"), 100);
}

TEST(HeldFolders, OfAnEarlierLifeTheOldestGo) {
  Gone gone;
  HeldFolders held(gone.Options(150));
  for (const char* name : {"a", "b", "c"}) held.Add(name, 100);
  held.Trim();
  EXPECT_EQ(gone.names, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(held.Take("c", nullptr, nullptr).value());
}

TEST(HeldFolders, IsNotMadeAnewUnderThoseWhoStillUseIt) {
  Gone gone;
  HeldFolders held(gone.Options(0));
  Make(held, "a", 100);
  ASSERT_TRUE(held.Take("a", nullptr, nullptr).value());
  held.Damaged("a");
  EXPECT_TRUE(absl::IsCancelled(held.Take(
                                        "a", [] { return true; }, nullptr)
                                    .status()));
  EXPECT_TRUE(gone.names.empty());
  held.Release("a");
  EXPECT_FALSE(held.Take("a", nullptr, nullptr).value()) << "now it is";
  held.Failed("a");
  EXPECT_FALSE(held.Take("a", nullptr, nullptr).value());
  held.Made("a", 100);
  EXPECT_EQ(held.Whole(), (std::vector<std::string>{"a"}));
}

// Removing gigabytes takes seconds, in which others go on.
TEST(HeldFolders, WhileOneIsRemovedOthersAreTakenAndItItselfIsWaitedFor) {
  std::promise<void> begins, may_end;
  HeldFoldersOptions options;
  options.remove = [&](const std::string&, int64_t) {
    begins.set_value();
    may_end.get_future().wait();
  };
  HeldFolders held(options);
  Make(held, "going", 100);
  auto released = std::async(std::launch::async, [&] { held.Release("going"); });
  begins.get_future().wait();
  Make(held, "other", 1);
  std::promise<void> waits;
  auto again = std::async(std::launch::async, [&] {
    return held.Take("going", nullptr, [&] { waits.set_value(); }).value();
  });
  waits.get_future().wait();
  may_end.set_value();
  EXPECT_FALSE(again.get()) << "it is gone, and made anew";
}

TEST(HeldFolders, WhoTakesAnIdleOneThatOthersMayHaveWrittenToLooksAtItFirst) {
  Gone gone;
  HeldFoldersOptions options = gone.Options(1000);
  options.is_checked_anew = true;
  HeldFolders held(options);
  Make(held, "a", 100);
  EXPECT_TRUE(held.Take("a", nullptr, nullptr).value()) << "in use";
  held.Release("a");
  held.Release("a");
  EXPECT_FALSE(held.Take("a", nullptr, nullptr).value());
}

TEST(HeldFolders, AfterAFailureTheNextOneMakesItAndACancelledOneGivesUp) {
  Gone gone;
  HeldFolders held(gone.Options(1000));
  ASSERT_FALSE(held.Take("a", nullptr, nullptr).value());
  std::promise<void> waits;
  std::atomic<bool> cancelled{false};
  auto given_up = std::async(std::launch::async, [&] {
    return held.Take(
        "a", [&] { return cancelled.load(); }, [&] { waits.set_value(); });
  });
  waits.get_future().wait();
  cancelled = true;
  EXPECT_TRUE(absl::IsCancelled(given_up.get().status()));
  held.Failed("a");
  EXPECT_FALSE(held.Take("a", nullptr, nullptr).value());
}

}  // namespace
}  // namespace baton::worker
