// The threads of one rank. Which thread runs which task is left to chance: no result may depend
// on it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace baton::trainer {

class ShardPool {
 public:
  // `threads` >= 1, the caller's own included: one means that no thread is started.
  explicit ShardPool(int threads);
  ~ShardPool();

  // Starts threads until there are so many. While no call of ForEach runs.
  void Grow(int threads);

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls task(i, worker) for each i < count and returns when all are done. `worker` < threads()
  // names the thread, for whatever each thread has one of. Calls from one thread; allocates
  // nothing.
  void ForEach(int count, absl::FunctionRef<void(int task, int worker)> task);

 private:
  void Work(int worker);
  void TakeTasks(int worker, std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable begun_;
  std::condition_variable ended_;
  bool stop_ = false;  // this and all below: under mutex_
  uint64_t round_ = 0;
  int next_ = 0;  // tasks are handed out in order
  int count_ = 0;
  int unfinished_ = 0;
  const absl::FunctionRef<void(int, int)>* task_ = nullptr;
  std::vector<std::thread> workers_;
};

}  // namespace baton::trainer
