#include "tests/fakes/cuda/grid.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <numeric>
#include <vector>

#include "tests/fakes/cuda/card.h"
#include "tests/fakes/cuda/fiber.h"

namespace baton::fake_cuda {

thread_local const Place3* current_place = nullptr;

namespace {

constexpr unsigned kWarp = 32, kThreadsMax = 1024;

// A walk over 0 .. count that begins anywhere and takes equal steps.
class Order {
 public:
  Order(uint64_t count, uint64_t seed) : count_(count), at_(seed % count) {
    step_ = 1 + seed / count % count;
    while (std::gcd(step_, count) != 1) ++step_;
  }
  uint64_t Next() {
    const uint64_t now = at_;
    at_ = (at_ + step_) % count_;
    return now;
  }

 private:
  uint64_t count_, at_, step_ = 1;
};

uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

enum class Waits { kNot, kForBlock, kForWarp };

struct Runner {
  Fiber fiber;
  Place3 place{};
  unsigned thread = 0;  // number in the block
  Waits waits = Waits::kNot;
  unsigned mask = 0;  // of lanes, for kForWarp
};

// The blocks that one thread of the host runs.
class Blocks {
 public:
  void Run(dim3 blocks, dim3 threads, const std::function<void()>& kernel) {
    kernel_ = &kernel;
    grid_ = gridDim = blocks;
    block_ = blockDim = threads;
    count_ = threads.x * threads.y * threads.z;
    static std::atomic<uint64_t> launches{0};
    const uint64_t seed = Mix(TheSettings().seed + 0x9E3779B97F4A7C15u * ++launches);
    const uint64_t all = uint64_t{blocks.x} * blocks.y * blocks.z;
    Order order(all, seed);
    for (uint64_t i = 0; i < all; ++i) RunBlock(order.Next(), Mix(seed + i));
    current_place = nullptr;
  }

  void Wait(Waits waits, unsigned mask) {
    Runner& self = *running_;
    self.waits = waits;
    self.mask = mask;
    self.fiber.Leave();
    current_place = &self.place;
  }
  Runner& running() { return *running_; }
  uint64_t& Slot(unsigned thread) { return slots_[thread]; }

 private:
  void RunBlock(uint64_t block, uint64_t seed) {
    at_ = {static_cast<unsigned>(block % grid_.x), static_cast<unsigned>(block / grid_.x % grid_.y),
           static_cast<unsigned>(block / grid_.x / grid_.y)};
    Order order(count_, seed);
    threads_ = &order;
    begun_ = 0;
    std::vector<Runner*> waiting;
    while (begun_ < count_) {
      Runner& runner = Idle(waiting.size());
      runner.fiber.Begin([&] { RunThreads(runner); });
      Resume(runner);
      if (!runner.fiber.done()) waiting.push_back(&runner);
    }
    while (!waiting.empty()) waiting = ResumeReady(waiting);
  }

  // One after the other until one waits.
  void RunThreads(Runner& runner) {
    while (begun_ < count_) {
      ++begun_;
      const auto thread = static_cast<unsigned>(threads_->Next());
      runner.thread = thread;
      runner.place = {
          {thread % block_.x, thread / block_.x % block_.y, thread / block_.x / block_.y}, at_};
      current_place = &runner.place;
      (*kernel_)();
    }
  }

  // Fibers 0 .. waiting are in use.
  Runner& Idle(size_t waiting) {
    if (waiting == runners_.size()) runners_.push_back(std::make_unique<Runner>());
    return *runners_[waiting];
  }

  void Resume(Runner& runner) {
    running_ = &runner;
    runner.waits = Waits::kNot;
    current_place = &runner.place;
    runner.fiber.Resume();
  }

  // Whether all that it waits for are there too; threads that have ended are not waited for.
  static bool Ready(const Runner& one, const std::vector<Runner*>& waiting) {
    return std::all_of(waiting.begin(), waiting.end(), [&](const Runner* other) {
      if (one.waits == Waits::kForBlock) return other->waits == Waits::kForBlock;
      const bool together = other->thread / kWarp == one.thread / kWarp &&
                            (one.mask >> (other->thread % kWarp) & 1) != 0;
      return !together || (other->waits == Waits::kForWarp && other->mask == one.mask);
    });
  }

  // Those that wait again.
  std::vector<Runner*> ResumeReady(const std::vector<Runner*>& waiting) {
    std::vector<Runner*> ready, still;
    // For the block all are ready or none; so the common case asks once.
    const bool whole = std::all_of(waiting.begin(), waiting.end(), [](const Runner* one) {
      return one->waits == Waits::kForBlock;
    });
    for (Runner* one : waiting) {
      (whole || Ready(*one, waiting) ? ready : still).push_back(one);
    }
    if (ready.empty()) Violation("threads of a block wait for each other at different places");
    for (Runner* one : ready) {
      Resume(*one);
      if (!one->fiber.done()) still.push_back(one);
    }
    return still;
  }

  const std::function<void()>* kernel_ = nullptr;
  dim3 grid_, block_;
  uint3 at_{};
  unsigned count_ = 0, begun_ = 0;
  Order* threads_ = nullptr;
  Runner* running_ = nullptr;
  std::vector<std::unique_ptr<Runner>> runners_;
  std::array<uint64_t, kThreadsMax> slots_{};
};

Blocks& TheBlocks() {
  static thread_local Blocks blocks;
  return blocks;
}

}  // namespace

void RunGrid(dim3 blocks, dim3 threads, const std::function<void()>& kernel) {
  TheBlocks().Run(blocks, threads, kernel);
}

void WaitForBlock() { TheBlocks().Wait(Waits::kForBlock, 0); }

unsigned Lane() { return TheBlocks().running().thread % kWarp; }

uint64_t Exchange(unsigned mask, uint64_t value, unsigned lane) {
  Blocks& blocks = TheBlocks();
  const unsigned thread = blocks.running().thread;
  if ((mask >> (thread % kWarp) & 1) == 0) Violation("a lane outside its own shuffle's mask");
  blocks.Slot(thread) = value;
  blocks.Wait(Waits::kForWarp, mask);
  const uint64_t got = blocks.Slot(thread / kWarp * kWarp + lane);
  blocks.Wait(Waits::kForWarp, mask);
  return got;
}

}  // namespace baton::fake_cuda
