#include "trainer/drain.h"

#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

DrainView Calm() {
  DrainView view;
  view.now_unix_ms = 1000000;
  view.step_ms = 100;
  view.save_ms = 50;
  view.world_size = 2;
  return view;
}

TEST(DrainTest, NothingAskedMeansTrainOn) {
  EXPECT_FALSE(DecideDrain(Calm()).leave);
  EXPECT_FALSE(DecideDrain(Calm()).save_first);
}

TEST(DrainTest, ASignalOrANoticeMeansLeave) {
  DrainView view = Calm();
  view.asked = true;
  EXPECT_TRUE(DecideDrain(view).leave);
  EXPECT_FALSE(DecideDrain(view).save_first);
  view = Calm();
  view.notice = true;
  EXPECT_TRUE(DecideDrain(view).leave);
  EXPECT_FALSE(DecideDrain(view).save_first);
}

TEST(DrainTest, AFarDeadlineLeavesTimeForTheAgreedStep) {
  DrainView view = Calm();
  view.notice = true;
  view.deadline_unix_ms = view.now_unix_ms + 300;
  EXPECT_FALSE(DecideDrain(view).save_first);
}

TEST(DrainTest, ANearDeadlineSavesBeforeTheAgreedStep) {
  DrainView view = Calm();
  view.notice = true;
  for (const int64_t left_ms : {299, 0, -5000}) {
    view.deadline_unix_ms = view.now_unix_ms + left_ms;
    EXPECT_TRUE(DecideDrain(view).save_first) << left_ms;
    EXPECT_TRUE(DecideDrain(view).leave);
  }
}

TEST(DrainTest, ASingleRankLeavesAtOnceAndSavesThen) {
  DrainView view = Calm();
  view.notice = true;
  view.deadline_unix_ms = view.now_unix_ms;
  view.world_size = 1;
  EXPECT_TRUE(DecideDrain(view).leave);
  EXPECT_FALSE(DecideDrain(view).save_first);
}

TEST(DrainTest, ADeadlineWithoutANoticeIsNoReason) {
  DrainView view = Calm();
  view.deadline_unix_ms = view.now_unix_ms;
  EXPECT_FALSE(DecideDrain(view).save_first);
}

TEST(DrainTest, ReadsTheNoticesTime) {
  EXPECT_EQ(NoticeDeadlineMs(R"({"unix_time": 1700000000.25, "reason": "spot"})"), 1700000000250);
  EXPECT_EQ(NoticeDeadlineMs(R"({"unix_time": 12})"), 12000);
  for (const char* text :
       {"", "{", "[]", "12", R"({"unix_time": "soon"})", R"({"unix_time": 1e300})",
        R"({"unix_time": -1})", R"({"reason": "x"})"}) {
    EXPECT_EQ(NoticeDeadlineMs(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace baton::trainer
