#include "worker/notice/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace baton::worker {
namespace {

TEST(ParseNotice, SecondsCountFromNowAndTimesAreAbsolute) {
  const auto soon = ParseNotice(R"({"seconds": 30, "reason": "drill"})", 1'000);
  ASSERT_TRUE(soon.has_value());
  EXPECT_EQ(soon->deadline_ms, 31'000);
  EXPECT_EQ(soon->reason, "drill");
  EXPECT_TRUE(soon->certain);
  EXPECT_EQ(soon->kind, "preempt");
  const auto then = ParseNotice(R"({"unix_time": 90.5, "certain": false, "kind": "x"})", 1'000);
  ASSERT_TRUE(then.has_value());
  EXPECT_EQ(then->deadline_ms, 90'500);
  EXPECT_FALSE(then->certain);
  EXPECT_EQ(then->kind, "x");
}

TEST(ParseNotice, WhatSaysNoTimeIsNone) {
  for (const char* text : {"", "x", "[]", "{}", R"({"seconds": "30"})", R"({"seconds": -1})",
                           R"({"seconds": 1e300})", R"({"seconds": 3)", "null"}) {
    EXPECT_FALSE(ParseNotice(text, 0).has_value()) << text;
  }
}

TEST(NoticeFile, ComesOnceChangesAndIsWithdrawn) {
  char folder[] = "/tmp/baton-notice-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/notice";
  NoticeFile file(path);
  EXPECT_TRUE(file.Poll(0).empty());
  std::ofstream(path) << "{\"seconds\": 5";
  EXPECT_TRUE(file.Poll(0).empty()) << "half a file";
  std::ofstream(path) << "{\"seconds\": 5}";
  auto events = file.Poll(1'000);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(std::get<Noticed>(events[0]).notice.deadline_ms, 6'000);
  EXPECT_TRUE(file.Poll(2'000).empty());
  std::filesystem::remove(path);
  events = file.Poll(3'000);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(std::get<Noticed>(events[0]).notice.withdrawn);
  EXPECT_TRUE(file.Poll(4'000).empty());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace baton::worker
