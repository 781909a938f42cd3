#include "scheduler/state/job_state.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace baton::state {
namespace {

const JobState kAll[] = {JobState::kHeld,      JobState::kQueued,    JobState::kStarting,
                         JobState::kRunning,   JobState::kRescaling, JobState::kStopping,
                         JobState::kSucceeded, JobState::kFailed,    JobState::kCancelled};

TEST(LegalMove, StayingIsNoMove) {
  for (const JobState s : kAll) EXPECT_FALSE(LegalMove(s, s)) << Name(s);
}

TEST(LegalMove, SucceededIsForEver) {
  for (const JobState s : kAll) EXPECT_FALSE(LegalMove(JobState::kSucceeded, s)) << Name(s);
}

TEST(LegalMove, FromAnEndOnlyARetry) {
  for (const JobState end : {JobState::kFailed, JobState::kCancelled}) {
    for (const JobState s : kAll) EXPECT_EQ(LegalMove(end, s), s == JobState::kQueued) << Name(s);
  }
}

TEST(LegalMove, WhatRunsLeavesThroughStoppingOnly) {
  for (const JobState live : {JobState::kStarting, JobState::kRunning, JobState::kRescaling}) {
    EXPECT_TRUE(LegalMove(live, JobState::kStopping));
    for (const JobState s : {JobState::kQueued, JobState::kHeld, JobState::kSucceeded,
                             JobState::kFailed, JobState::kCancelled}) {
      EXPECT_FALSE(LegalMove(live, s)) << Name(live) << " -> " << Name(s);
    }
  }
}

TEST(LegalMove, EveryStateIsReached) {
  for (const JobState to : kAll) {
    bool reached = false;
    for (const JobState from : kAll) reached = reached || LegalMove(from, to);
    EXPECT_TRUE(reached) << Name(to);
  }
}

TEST(Name, IsUnique) {
  std::set<std::string> names;
  for (const JobState s : kAll) EXPECT_TRUE(names.insert(std::string(Name(s))).second);
  names.clear();
  for (int c = 0; c <= static_cast<int>(EndCause::kPaused); ++c) {
    EXPECT_TRUE(names.insert(std::string(Name(static_cast<EndCause>(c)))).second);
  }
}

}  // namespace
}  // namespace baton::state
