#include "worker/core/notice_board.h"

#include <gtest/gtest.h>

namespace baton::worker {
namespace {

Notice Make(const std::string& kind, int64_t deadline_ms, bool certain = true) {
  Notice notice;
  notice.source = "aws";
  notice.kind = kind;
  notice.deadline_ms = deadline_ms;
  notice.certain = certain;
  notice.noticed_ms = 100;
  return notice;
}

std::string Kind(const std::vector<Event>& news) {
  if (news.empty()) return "";
  const Notice& notice = std::get<Noticed>(news[0]).notice;
  return notice.withdrawn ? "-" + notice.kind : notice.kind;
}

TEST(NoticeBoard, TheSurestCountsThenTheEarliest) {
  NoticeBoard board;
  EXPECT_EQ(Kind(board.Set("a", Make("risk", 1'000, false))), "risk");
  EXPECT_EQ(Kind(board.Set("b", Make("late", 9'000))), "late");
  EXPECT_EQ(Kind(board.Set("c", Make("later", 9'500))), "");
  EXPECT_EQ(Kind(board.Set("c", Make("soon", 5'000))), "soon");
  EXPECT_EQ(board.gravest()->kind, "soon");
}

TEST(NoticeBoard, WhatIsLeftCountsAfterAWithdrawal) {
  NoticeBoard board;
  board.Set("event/a", Make("soon", 5'000));
  board.Set("event/b", Make("late", 9'000));
  board.Set("risk", Make("risk", 1'000, false));
  EXPECT_EQ(Kind(board.Keep("event/", {"event/b"})), "late");
  EXPECT_EQ(Kind(board.Keep("event/", {})), "risk");
  EXPECT_EQ(Kind(board.Set("none", std::nullopt)), "");
  EXPECT_EQ(Kind(board.Set("risk", std::nullopt)), "-risk");
  EXPECT_FALSE(board.gravest().has_value());
  EXPECT_EQ(Kind(board.Set("risk", std::nullopt)), "");
}

TEST(NoticeBoard, WhenItWasFirstSeenStays) {
  NoticeBoard board(50);
  Notice notice = Make("soon", 90);
  EXPECT_EQ(std::get<Noticed>(board.Set("a", notice)[0]).notice.deadline_ms, 150);
  notice.noticed_ms = 120;
  EXPECT_TRUE(board.Set("a", notice).empty());
}

}  // namespace
}  // namespace baton::worker
