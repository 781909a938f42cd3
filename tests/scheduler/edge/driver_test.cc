#include "scheduler/edge/driver.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "common/ids.h"
#include "tests/scheduler/edge/fixture.h"

namespace baton::edge {
namespace {

View Tell(Flag& flag) {
  return [&flag](const Seen&) -> Release { return [&flag] { flag.Set(); }; };
}

TEST(Driver, AnswersOnlyOnceTheEventIsStored) {
  store::MemoryStore memory;
  DriverFixture f(memory);
  f.driver->Start();
  Flag started;
  ASSERT_TRUE(f.driver->Read(Driver::Source::kClient, Tell(started)).ok());
  started.Await();

  f.held.Hold();
  const int before = f.held.arrived();
  Flag applied, answered;
  ASSERT_TRUE(f.driver
                  ->Post(Driver::Source::kClient, Submission("request-1"),
                         [&](const Seen& seen) -> Release {
                           EXPECT_TRUE(seen.outputs->reply.ok());
                           applied.Set();
                           return [&] { answered.Set(); };
                         })
                  .ok());
  applied.Await();
  f.held.AwaitCommits(before + 1);
  EXPECT_FALSE(answered.is_set());
  EXPECT_EQ(memory.Get(store::Table::kJobs, JobId("request-1", 0)).status().code(),
            absl::StatusCode::kNotFound);
  f.held.LetGo();
  answered.Await();
  EXPECT_TRUE(memory.Get(store::Table::kJobs, JobId("request-1", 0)).ok());
}

TEST(Driver, AReadLeavesWithTheCommitOfTheLastEventItHasSeen) {
  store::MemoryStore memory;
  DriverFixture f(memory);
  f.driver->Start();
  Flag started;
  ASSERT_TRUE(f.driver->Read(Driver::Source::kClient, Tell(started)).ok());
  started.Await();

  f.held.Hold();
  const int before = f.held.arrived();
  ASSERT_TRUE(f.driver->Post(Driver::Source::kClient, Submission("request-1"), nullptr).ok());
  f.held.AwaitCommits(before + 1);
  Flag seen_it, told;
  ASSERT_TRUE(f.driver
                  ->Read(Driver::Source::kClient,
                         [&](const Seen& seen) -> Release {
                           EXPECT_EQ(seen.index.jobs(), 1);
                           EXPECT_EQ(seen.outputs, nullptr);
                           seen_it.Set();
                           return [&] { told.Set(); };
                         })
                  .ok());
  seen_it.Await();
  EXPECT_FALSE(told.is_set());
  f.held.LetGo();
  told.Await();
}

TEST(Driver, EventsThatPileUpAreJoinedIntoOneCommit) {
  store::MemoryStore memory;
  DriverFixture f(memory);
  f.driver->Start();
  Flag started;
  ASSERT_TRUE(f.driver->Read(Driver::Source::kClient, Tell(started)).ok());
  started.Await();

  f.held.Hold();
  const int before = f.held.arrived();
  ASSERT_TRUE(f.driver->Post(Driver::Source::kClient, Submission("first"), nullptr).ok());
  f.held.AwaitCommits(before + 1);
  constexpr int kMore = 100;
  Flag last_applied, last_answered;
  for (int i = 0; i < kMore; ++i) {
    View view;
    if (i == kMore - 1) {
      view = [&](const Seen&) -> Release {
        last_applied.Set();
        return [&] { last_answered.Set(); };
      };
    }
    ASSERT_TRUE(f.driver
                    ->Post(Driver::Source::kClient, Submission("request-" + std::to_string(i)),
                           std::move(view))
                    .ok());
  }
  last_applied.Await();
  f.held.LetGo();
  last_answered.Await();
  // The one that was held, and one for all that came meanwhile (two when the last of them were
  // pushed just after the first commit had ended).
  const int commits = f.held.arrived() - before;
  EXPECT_LE(commits, 3);
  EXPECT_GE(f.held.sizes().at(static_cast<size_t>(before) + 1), size_t{kMore / 2});
}

TEST(Driver, AfterAFailedCommitNothingIsAnsweredOrApplied) {
  store::MemoryStore memory;
  DriverFixture f(memory);
  f.driver->Start();
  Flag started;
  ASSERT_TRUE(f.driver->Read(Driver::Source::kClient, Tell(started)).ok());
  started.Await();

  memory.FailNextCommit(absl::ResourceExhaustedError("the disk is full"),
                        store::MemoryStore::Left::kNothing);
  Flag answered, later;
  ASSERT_TRUE(
      f.driver->Post(Driver::Source::kClient, Submission("request-1"), Tell(answered)).ok());
  f.failed.Await();
  std::atomic<bool> applied{false};
  (void)f.driver->Post(Driver::Source::kClient, Submission("request-2"),
                       [&](const Seen&) -> Release {
                         applied = true;
                         return [&] { later.Set(); };
                       });
  f.driver->Shutdown();
  EXPECT_FALSE(answered.is_set());
  EXPECT_FALSE(later.is_set());
  EXPECT_FALSE(applied);
  std::lock_guard<std::mutex> lock(f.mutex);
  ASSERT_EQ(f.failures.size(), 1u);
  EXPECT_EQ(f.failures[0].code(), absl::StatusCode::kResourceExhausted);
}

TEST(Driver, ClientsAreRefusedWhenTooMuchWaitsAndWorkersAreNot) {
  store::MemoryStore memory;
  DriverFixture f(memory, {.mailbox_max = 4, .client_requests_max = 2});
  // Not started: all that is posted waits.
  const auto post = [&](Driver::Source source, const std::string& id) {
    return f.driver->Post(source, Submission(id), nullptr);
  };
  EXPECT_TRUE(post(Driver::Source::kClient, "a").ok());
  EXPECT_TRUE(post(Driver::Source::kClient, "b").ok());
  EXPECT_EQ(post(Driver::Source::kClient, "c").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(post(Driver::Source::kWorker, "d").ok());
  EXPECT_TRUE(post(Driver::Source::kWorker, "e").ok());
  EXPECT_EQ(post(Driver::Source::kWorker, "f").code(), absl::StatusCode::kResourceExhausted);
  f.driver->Start();
  Flag served;
  // There is room again once the core has taken what waited.
  while (!f.driver->Read(Driver::Source::kClient, Tell(served)).ok()) std::this_thread::yield();
  served.Await();
  EXPECT_TRUE(memory.Get(store::Table::kJobs, JobId("e", 0)).ok());
  EXPECT_FALSE(memory.Get(store::Table::kJobs, JobId("c", 0)).ok());
}

TEST(Driver, ServesWhatWasPostedBeforeTheShutdownAndRefusesWhatComesAfter) {
  store::MemoryStore memory;
  DriverFixture f(memory);
  f.driver->Start();
  Flag answered;
  ASSERT_TRUE(
      f.driver->Post(Driver::Source::kClient, Submission("request-1"), Tell(answered)).ok());
  f.driver->Shutdown();
  EXPECT_TRUE(answered.is_set());
  EXPECT_EQ(f.driver->Read(Driver::Source::kClient, nullptr).code(),
            absl::StatusCode::kUnavailable);
}

TEST(Driver, TellsTheEdgeOfAGapInItsOwnLoop) {
  store::MemoryStore memory;
  DriverFixture f(memory, {.tick_ms = 10, .lease_ms = 1'000});
  f.driver->Start();
  const auto look = [&] {
    Flag flag;
    ASSERT_TRUE(f.driver->Read(Driver::Source::kClient, Tell(flag)).ok());
    flag.Await();
  };
  look();
  f.clock.Advance(100);
  look();
  EXPECT_GE(f.quiet().ticks, 1);
  EXPECT_EQ(f.quiet().gaps, 0);
  f.clock.Advance(500);
  look();
  EXPECT_EQ(f.quiet().gaps, 1);
}

TEST(Driver, ADoubleSubmitCollapsesAndAnotherOneUnderTheSameIdIsRefused) {
  store::MemoryStore memory;
  std::vector<state::JobId> first;
  {
    DriverFixture f(memory);
    f.driver->Start();
    Flag flag;
    ASSERT_TRUE(f.driver
                    ->Post(Driver::Source::kClient, Submission("request-1", 3),
                           [&](const Seen& seen) -> Release {
                             first = seen.outputs->job_ids;
                             return [&] { flag.Set(); };
                           })
                    .ok());
    flag.Await();
  }
  ASSERT_EQ(first.size(), 3u);
  // Another life of the scheduler remembers.
  DriverFixture f(memory);
  f.driver->Start();
  Flag flag;
  ASSERT_TRUE(f.driver
                  ->Post(Driver::Source::kClient, Submission("request-1", 3),
                         [&](const Seen& seen) -> Release {
                           EXPECT_TRUE(seen.outputs->reply.ok());
                           EXPECT_EQ(seen.outputs->job_ids, first);
                           EXPECT_EQ(seen.index.jobs(), 3);
                           return nullptr;
                         })
                  .ok());
  state::JobsSubmitted other = Submission("request-1", 3);
  other.request_digest = 8;
  ASSERT_TRUE(f.driver
                  ->Post(Driver::Source::kClient, std::move(other),
                         [&](const Seen& seen) -> Release {
                           EXPECT_EQ(seen.outputs->reply.code(), absl::StatusCode::kAlreadyExists);
                           return [&] { flag.Set(); };
                         })
                  .ok());
  flag.Await();
}

// Many clients at once; what was answered is there in the next life. Also what the thread
// sanitizer watches.
TEST(Driver, WhatManyThreadsWereToldIsThereAfterARestart) {
  constexpr int kThreads = 8;
  constexpr int kEach = 50;
  store::MemoryStore memory;
  std::atomic<int> answered{0};
  {
    DriverFixture f(memory);
    f.driver->Start();
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          Flag flag;
          const std::string id = "request-" + std::to_string(t) + "-" + std::to_string(i);
          ASSERT_TRUE(f.driver
                          ->Post(Driver::Source::kClient, Submission(id),
                                 [&](const Seen&) -> Release {
                                   return [&] {
                                     ++answered;
                                     flag.Set();
                                   };
                                 })
                          .ok());
          flag.Await();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(answered, kThreads * kEach);
  DriverFixture f(memory);
  f.driver->Start();
  Flag flag;
  ASSERT_TRUE(f.driver
                  ->Read(Driver::Source::kClient,
                         [&](const Seen& seen) -> Release {
                           EXPECT_EQ(seen.index.jobs(), kThreads * kEach);
                           return [&] { flag.Set(); };
                         })
                  .ok());
  flag.Await();
}

}  // namespace
}  // namespace baton::edge
