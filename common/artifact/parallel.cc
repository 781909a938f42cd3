#include "common/artifact/parallel.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "common/status.h"

namespace baton::artifact {
namespace {

// The scheduler's store syncs a few at a time.
constexpr size_t kThreads = 6;
constexpr size_t kFew = 16;
constexpr std::chrono::milliseconds kTellEvery{100};

class Crew {
 public:
  Crew(size_t count, const std::function<absl::Status(size_t)>& work) : count_(count), work_(work) {
    std::lock_guard<std::mutex> lock(mutex_);
    try {
      for (; running_ < kThreads; ++running_) threads_.emplace_back([this] { Run(); });
    } catch (const std::system_error&) {
      // The system gives no thread more: those that are there do it all, if need be the caller's.
    }
  }
  ~Crew() {
    for (std::thread& thread : threads_) thread.join();
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // False once all is done; waits a moment, or until then.
  bool Await() {
    if (threads_.empty()) return DoOne();
    std::unique_lock<std::mutex> lock(mutex_);
    return !ended_.wait_for(lock, kTellEvery, [this] { return running_ == 0; });
  }

  absl::Status failure() {
    std::lock_guard<std::mutex> lock(mutex_);
    return failure_;
  }

 private:
  void Run() {
    while (DoOne()) {
    }
    std::lock_guard<std::mutex> lock(mutex_);
    if (--running_ == 0) ended_.notify_one();
  }

  // False when there is nothing more to begin.
  bool DoOne() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (next_ >= count_ || !failure_.ok()) return false;
    const size_t index = next_++;
    lock.unlock();
    const absl::Status status = work_(index);
    lock.lock();
    if (!status.ok() && failure_.ok()) failure_ = status;
    return true;
  }

  const size_t count_;
  const std::function<absl::Status(size_t)>& work_;
  std::mutex mutex_;  // protects what follows
  std::condition_variable ended_;
  size_t next_ = 0;
  size_t running_ = 0;
  absl::Status failure_;
  std::vector<std::thread> threads_;
};

}  // namespace

absl::Status DoAll(size_t count, const std::function<absl::Status(size_t)>& work,
                   const std::function<void()>& told) {
  if (count < kFew) {
    for (size_t i = 0; i < count; ++i) {
      BATON_RETURN_IF_ERROR(work(i));
      told();
    }
    return absl::OkStatus();
  }
  Crew crew(count, work);
  while (crew.Await()) told();
  told();
  return crew.failure();
}

}  // namespace baton::artifact
