#include "trainer/elastic/watch.h"

#include <chrono>
#include <utility>

#include "common/contract.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

constexpr std::chrono::hours kUntilTold{24 * 365};
// After an answer that says nothing of a newer generation, such as that a member was lost.
constexpr std::chrono::milliseconds kAgain{20};

}  // namespace

absl::StatusOr<std::unique_ptr<GenerationWatch>> GenerationWatch::Open(
    const RendezvousOptions& options) {
  auto watch = std::unique_ptr<GenerationWatch>(new GenerationWatch(options));
  BATON_ASSIGN_OR_RETURN(auto board, OpenRendezvous(watch->options_));
  watch->thread_ = std::thread(
      [raw = watch.get(), board = std::move(board)]() mutable { raw->Run(std::move(board)); });
  return watch;
}

GenerationWatch::GenerationWatch(const RendezvousOptions& options)
    : options_(options), newest_(options.generation) {
  options_.stop = &stop_;
}

GenerationWatch::~GenerationWatch() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void GenerationWatch::Run(std::unique_ptr<Rendezvous> board) {
  while (!stop_) {
    const absl::Status status =
        board->Wait(contract::kRendezvousNextGeneration, kUntilTold).status();
    const int64_t newer = board->newer();
    if (newer <= newest_ && absl::IsAborted(status)) {
      std::this_thread::sleep_for(kAgain);
      continue;
    }
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (newer > newest_) {
        newest_ = newer;
      } else {
        closed_ = true;
      }
    }
    changed_.notify_all();
    if (closed_) return;
    // The next wait is one of the newer generation.
    options_.generation = newer;
    absl::StatusOr<std::unique_ptr<Rendezvous>> next = OpenRendezvous(options_);
    if (next.ok()) {
      board = *std::move(next);
      continue;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    changed_.notify_all();
    return;
  }
}

void GenerationWatch::Await(int64_t generation, std::chrono::milliseconds timeout) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, timeout, [&] { return closed_ || newest_ > generation; });
}

}  // namespace baton::trainer
