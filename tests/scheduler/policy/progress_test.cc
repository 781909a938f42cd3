#include "scheduler/policy/progress.h"

#include <gtest/gtest.h>

#include <vector>

namespace baton::policy {
namespace {

using state::Capacity;
using state::EndCause;

struct Life {
  EndCause cause = EndCause::kPreempted;
  int64_t step = 0;  // the last one finished; 0: none
  int64_t ran_ms = 1'000;
  const char* resume = "";
};

state::JobHistory Ended(const std::vector<Life>& lives) {
  state::JobHistory history;
  for (const Life& life : lives) {
    state::Attempt& attempt = history.attempts.emplace_back();
    attempt.number = static_cast<int32_t>(history.attempts.size());
    attempt.start_ms = 1'000'000 * attempt.number;
    attempt.running_ms = life.ran_ms == 0 ? 0 : attempt.start_ms + 100;
    attempt.end_ms = attempt.start_ms + 100 + life.ran_ms;
    attempt.cause = life.cause;
    attempt.resume_name = life.resume;
    attempt.members = {0};
    state::Task& task = attempt.tasks.emplace_back();
    task.last_step = life.step;
    task.first_step_ms = life.step == 0 ? 0 : attempt.running_ms;
  }
  return history;
}

size_t Losses(const std::vector<Life>& lives) { return FruitlessLosses(Ended(lives)).size(); }

void Commit(int32_t attempt, state::JobHistory* history) {
  state::Checkpoint& checkpoint = history->checkpoints.emplace_back();
  checkpoint.name = "c";
  checkpoint.attempt = attempt;
}

TEST(FruitlessLosses, NoticesAndLostNodesAlike) {
  EXPECT_EQ(Losses({}), 0u);
  EXPECT_EQ(Losses({{EndCause::kPreempted}}), 1u);
  EXPECT_EQ(Losses({{EndCause::kPreempted}, {EndCause::kNodeLost}}), 2u);
}

TEST(FruitlessLosses, EndWithWhatEndedOtherwise) {
  for (const EndCause cause : {EndCause::kCrashed, EndCause::kPeerLost, EndCause::kPaused,
                               EndCause::kCancelled, EndCause::kTimeLimit}) {
    EXPECT_EQ(Losses({{EndCause::kPreempted}, {cause}, {EndCause::kPreempted}}), 1u);
  }
  state::JobHistory undecided = Ended({{EndCause::kPreempted}, {EndCause::kNone}});
  undecided.attempts.back().verdict_deadline_ms = 1;
  EXPECT_EQ(FruitlessLosses(undecided).size(), 0u);
}

TEST(FruitlessLosses, StepsThatWereNotSavedCountOnlyBeyondTheOnesBefore) {
  EXPECT_EQ(Losses({{.step = 500}, {.step = 300}}), 2u);
  EXPECT_EQ(Losses({{.step = 500}, {.step = 501}}), 1u);
  EXPECT_EQ(Losses({{.step = 500}, {.step = 501}, {.step = 501}}), 2u);
}

TEST(FruitlessLosses, NotWithACheckpoint) {
  state::JobHistory history = Ended({{}, {}, {}});
  Commit(2, &history);
  EXPECT_EQ(FruitlessLosses(history).size(), 1u);
  Commit(3, &history);
  EXPECT_EQ(FruitlessLosses(history).size(), 0u);
  // Another job's, with which this one began.
  state::JobHistory forked = Ended({{}, {}});
  Commit(0, &forked);
  EXPECT_EQ(FruitlessLosses(forked).size(), 2u);
}

TEST(FruitlessLosses, PassOverWhatSaysNothing) {
  EXPECT_EQ(Losses({{}, {.cause = EndCause::kStartFailed}, {}}), 2u);
  EXPECT_EQ(Losses({{}, {.ran_ms = 0}, {}}), 2u);
  state::JobHistory slow = Ended({{}, {.ran_ms = 0}});
  slow.attempts.back().end_ms = slow.attempts.back().start_ms + 600'000;
  EXPECT_EQ(FruitlessLosses(slow).size(), 2u) << "ten minutes of setup are a loss";
  state::JobHistory full_disk = Ended({{}, {EndCause::kNodeLost}, {}});
  full_disk.attempts[1].tasks[0].infrastructure = true;
  EXPECT_EQ(FruitlessLosses(full_disk).size(), 2u);
  state::JobHistory live = Ended({{}, {}, {EndCause::kNone}});
  live.attempts.back().end_ms = 0;
  EXPECT_EQ(FruitlessLosses(live).size(), 2u);
}

TEST(FruitlessLosses, APersonsWordBeginsAnew) {
  state::JobHistory history = Ended({{}, {}, {}});
  history.retried_after = 2;
  EXPECT_EQ(FruitlessLosses(history).size(), 1u);
}

TEST(ChooseNextTry, OnDemandThenHeld) {
  for (const bool could : {false, true}) {
    EXPECT_EQ(ChooseNextTry(Capacity::kAuto, 1, could), NextTry::kAsBefore);
    EXPECT_EQ(ChooseNextTry(Capacity::kSpot, 2, could), NextTry::kHold);
    EXPECT_EQ(ChooseNextTry(Capacity::kAuto, 4, could), NextTry::kHold);
  }
  for (const Capacity capacity : {Capacity::kAuto, Capacity::kOnDemand}) {
    EXPECT_EQ(ChooseNextTry(capacity, 2, false), NextTry::kHold);
    EXPECT_EQ(ChooseNextTry(capacity, 2, true), NextTry::kOnDemandOnly);
    EXPECT_EQ(ChooseNextTry(capacity, 3, true), NextTry::kOnDemandOnly);
  }
}

TEST(CrashesOn, OneCheckpointInARow) {
  const Life crash{.cause = EndCause::kCrashed, .resume = "c"};
  EXPECT_EQ(CrashesOn(Ended({crash, crash}), "c"), 2);
  EXPECT_EQ(CrashesOn(Ended({crash, crash}), "d"), 0);
  EXPECT_EQ(CrashesOn(Ended({{.cause = EndCause::kCrashed, .resume = "b"}, crash}), "c"), 1);
  EXPECT_EQ(CrashesOn(Ended({crash, {.resume = "c"}, crash}), "c"), 2)
      << "taken away: says nothing";
  EXPECT_EQ(
      CrashesOn(Ended({crash, {.cause = EndCause::kPreempted, .step = 9, .resume = "c"}, crash}),
                "c"),
      1);
  EXPECT_EQ(
      CrashesOn(Ended({crash, {.cause = EndCause::kPeerLost, .step = 9, .resume = "c"}}), "c"), 0);
  state::JobHistory open = Ended({crash, crash});
  open.attempts.back().verdict_deadline_ms = 1;
  EXPECT_EQ(CrashesOn(open, "c"), 1);
  state::JobHistory retried = Ended({crash, crash});
  retried.retried_after = 1;
  EXPECT_EQ(CrashesOn(retried, "c"), 1);
}

}  // namespace
}  // namespace baton::policy
