#include "worker/crew.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <new>
#include <set>
#include <system_error>
#include <thread>
#include <vector>

namespace baton::worker {
namespace {

TEST(Crew, EachPieceRunsBesideAllOthers) {
  constexpr int kPieces = 50;
  std::promise<void> all;
  std::shared_future<void> end = all.get_future().share();
  std::atomic<int> running{0};
  {
    Crew crew({.idle_max = 2});
    for (int i = 0; i < kPieces; ++i) {
      crew.Run([&] {
        if (++running == kPieces) all.set_value();
        end.wait();
      });
    }
    EXPECT_EQ(end.wait_for(std::chrono::seconds(30)), std::future_status::ready);
  }
  EXPECT_EQ(running, kPieces);
}

TEST(Crew, AThreadIsUsedAgain) {
  Crew crew({.idle_max = 1});
  std::set<std::thread::id> threads;
  for (int i = 0; i < 20; ++i) {
    std::promise<std::thread::id> done;
    crew.Run([&] { done.set_value(std::this_thread::get_id()); });
    threads.insert(done.get_future().get());
  }
  EXPECT_LT(threads.size(), 20u);
}

TEST(Crew, BeyondItsThreadsPiecesWaitAndAreNotLost) {
  Crew crew({.idle_max = 1, .threads_max = 1});
  std::promise<void> go, done;
  std::future<void> may_go = go.get_future();
  std::vector<int> order;
  crew.Run([&] { may_go.wait(), order.push_back(1); });
  crew.Run([&] { order.push_back(2), done.set_value(); });
  go.set_value();
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(Crew, APieceThatThrowsEndsAlone) {
  Crew crew({.idle_max = 1, .threads_max = 1});
  std::promise<void> done;
  crew.Run([] { throw std::system_error(EAGAIN, std::generic_category()); });
  crew.Run([] { throw std::bad_alloc(); });
  crew.Run([&] { done.set_value(); });
  EXPECT_EQ(done.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST(Crew, ItsEndWaitsForWhatRunsAndDropsTheRest) {
  std::atomic<int> ran{0};
  {
    Crew crew({.idle_max = 1, .threads_max = 1});
    std::promise<void> begun;
    crew.Run([&] {
      begun.set_value();
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      ++ran;
    });
    begun.get_future().wait();
    crew.Run([&] { ran += 10; });
  }
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace baton::worker
