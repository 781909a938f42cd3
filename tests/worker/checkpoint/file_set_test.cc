#include "worker/checkpoint/file_set.h"

#include <gtest/gtest.h>

namespace baton::worker {
namespace {

using Paths = std::vector<std::string>;

FileVersion Version(int64_t bytes) { return {bytes, bytes * 10, 1}; }

// Looks and chooses every 100 ms from `from_ms` until something is chosen; the time, or -1.
int64_t ChosenAt(FileSet& set, const SeenFiles& seen, int64_t from_ms, const Paths& expected,
                 const std::set<std::string>& written = {}, int64_t until_ms = 1'000'000) {
  for (int64_t now_ms = from_ms; now_ms <= until_ms; now_ms += 100) {
    if (!set.Look(seen, now_ms, TaskEnd::kRuns)) continue;
    const Paths chosen = set.Choose(written, now_ms, TaskEnd::kRuns);
    if (chosen.empty()) continue;
    EXPECT_EQ(chosen, expected);
    for (const std::string& path : chosen) set.Saved(path, seen.at(path));
    set.Paced(now_ms, 0);
    return now_ms;
  }
  return -1;
}

TEST(FileSet, WhatWasThereBeforeIsNoNews) {
  FileSet set({{"a.pt", Version(1)}});
  EXPECT_EQ(ChosenAt(set, {{"a.pt", Version(1)}}, 100, {}, {}, 20'000), -1);
  EXPECT_FALSE(set.Look({{"a.pt", Version(1)}}, 30'000, TaskEnd::kByItself));
}

TEST(FileSet, FilesAtRestAreTakenTogetherOnce) {
  FileSet set({});
  EXPECT_FALSE(set.Look({{"a.pt", Version(1)}}, 100, TaskEnd::kRuns));
  const SeenFiles both = {{"a.pt", Version(1)}, {"b.pt", Version(2)}};
  EXPECT_EQ(ChosenAt(set, both, 500, {"a.pt", "b.pt"}), 1'000) << "500 ms after the second";
  EXPECT_EQ(ChosenAt(set, both, 1'100, {}, {}, 60'000), -1);
  const SeenFiles next = {{"a.pt", Version(3)}, {"b.pt", Version(2)}};
  EXPECT_EQ(ChosenAt(set, next, 61'000, {"a.pt"}), 61'500);
}

TEST(FileSet, ASaveUnderWayIsWaitedForAndALogIsNot) {
  FileSet save({});
  const SeenFiles seen = {{"a.pt", Version(1)}, {"b.pt", Version(2)}};
  EXPECT_EQ(ChosenAt(save, seen, 100, {}, {"b.pt"}, 60'000), -1);
  const int64_t saved_ms = ChosenAt(save, seen, 60'100, {"a.pt", "b.pt"});
  EXPECT_TRUE(saved_ms >= 60'100 && saved_ms <= 65'100) << saved_ms;
  FileSet log({});
  const SeenFiles with_log = {{"a.pt", Version(1)}, {"events.log", Version(2)}};
  const int64_t taken_ms = ChosenAt(log, with_log, 100, {"a.pt"}, {"events.log"});
  EXPECT_TRUE(taken_ms >= 2'100 && taken_ms <= 2'300) << taken_ms;
}

TEST(FileSet, WhoSavesWithoutARestIsTakenAfterAWhile) {
  FileSet set({});
  int64_t taken_ms = -1;
  for (int64_t now_ms = 100; taken_ms < 0 && now_ms < 60'000; now_ms += 100) {
    const SeenFiles seen = {{"a.pt", Version(1 + now_ms / 300)}};
    if (!set.Look(seen, now_ms, TaskEnd::kRuns)) continue;
    if (!set.Choose({}, now_ms, TaskEnd::kRuns).empty()) taken_ms = now_ms;
  }
  EXPECT_GE(taken_ms, 2'000);
  EXPECT_LE(taken_ms, 3'000);
}

TEST(FileSet, SetsComeAsOftenAsTheyAreCheap) {
  FileSet set({});
  ASSERT_EQ(ChosenAt(set, {{"a.pt", Version(1)}}, 100, {"a.pt"}), 600);
  set.Paced(600, 400);
  EXPECT_EQ(ChosenAt(set, {{"a.pt", Version(2)}}, 700, {"a.pt"}), 4'600);
  EXPECT_EQ(ChosenAt(set, {{"a.pt", Version(2)}, {"x.csv", Version(1)}}, 5'000, {"x.csv"}), 34'600)
      << "a log beside a checkpoint";
}

TEST(FileSet, ARefusedVersionIsNotLookedAtAgain) {
  FileSet set({});
  ASSERT_EQ(ChosenAt(set, {{"a.pt", Version(1)}}, 100, {"a.pt"}), 600);
  ASSERT_FALSE(set.Look({{"a.pt", Version(2)}}, 2'000, TaskEnd::kRuns));
  set.Refused("a.pt", Version(2));
  EXPECT_EQ(ChosenAt(set, {{"a.pt", Version(2)}}, 2'100, {}, {}, 60'000), -1);
  EXPECT_FALSE(set.IsSaved("a.pt"));
  EXPECT_EQ(ChosenAt(set, {{"a.pt", Version(3)}}, 61'000, {"a.pt"}), 61'500);
  EXPECT_TRUE(set.IsSaved("a.pt"));
}

TEST(FileSet, WhoWritesIsAskedLessAndLessOften) {
  FileSet set({});
  int asked = 0;
  for (int64_t now_ms = 100; now_ms <= 120'000; now_ms += 100) {
    if (!set.Look({{"events.log", Version(1)}}, now_ms, TaskEnd::kRuns)) continue;
    ++asked;
    EXPECT_TRUE(set.Choose({"events.log"}, now_ms, TaskEnd::kRuns).empty());
  }
  EXPECT_LT(asked, 70);
}

TEST(FileSet, AFailureTakesNoLogsAlone) {
  FileSet set({});
  SeenFiles seen = {{"run.log", Version(1)}};
  EXPECT_TRUE(set.Look(seen, 100, TaskEnd::kFailed));
  EXPECT_TRUE(set.Choose({}, 100, TaskEnd::kFailed).empty());
  seen["a.pt"] = Version(2);
  EXPECT_TRUE(set.Look(seen, 200, TaskEnd::kFailed));
  EXPECT_EQ(set.Choose({}, 200, TaskEnd::kFailed), (Paths{"a.pt", "run.log"}));
}

TEST(FileSet, TheEndTakesAllAndAKillAsksForProof) {
  FileSet set({});
  const SeenFiles seen = {{"a.pt", Version(1)}, {"old.csv", Version(2)}};
  EXPECT_FALSE(set.Look({{"old.csv", Version(2)}}, 100, TaskEnd::kRuns));
  EXPECT_TRUE(set.Look(seen, 2'500, TaskEnd::kKilled));
  EXPECT_EQ(set.Choose({}, 2'500, TaskEnd::kKilled), (Paths{"a.pt", "old.csv"}));
  EXPECT_TRUE(set.NeedsProof("a.pt", 2'500, TaskEnd::kKilled));
  EXPECT_FALSE(set.NeedsProof("old.csv", 2'500, TaskEnd::kKilled));
  EXPECT_FALSE(set.NeedsProof("a.pt", 2'500, TaskEnd::kByItself));
}

}  // namespace
}  // namespace baton::worker
