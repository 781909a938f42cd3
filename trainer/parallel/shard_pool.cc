#include "trainer/parallel/shard_pool.h"

namespace baton::trainer {

ShardPool::ShardPool(int threads) { Grow(threads); }

void ShardPool::Grow(int threads) {
  for (int worker = this->threads(); worker < threads; ++worker) {
    workers_.emplace_back([this, worker] { Work(worker); });
  }
}

ShardPool::~ShardPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  begun_.notify_all();
  for (std::thread& thread : workers_) thread.join();
}

void ShardPool::ForEach(int count, absl::FunctionRef<void(int task, int worker)> task) {
  if (workers_.empty() || count <= 1) {
    for (int i = 0; i < count; ++i) task(i, 0);
    return;
  }
  std::unique_lock<std::mutex> lock(mutex_);
  task_ = &task;
  next_ = 0;
  count_ = unfinished_ = count;
  ++round_;
  begun_.notify_all();
  TakeTasks(0, lock);
  ended_.wait(lock, [this] { return unfinished_ == 0; });
}

void ShardPool::Work(int worker) {
  uint64_t seen = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    begun_.wait(lock, [&] { return stop_ || round_ != seen; });
    if (stop_) return;
    seen = round_;
    TakeTasks(worker, lock);
  }
}

void ShardPool::TakeTasks(int worker, std::unique_lock<std::mutex>& lock) {
  while (next_ < count_) {
    const int task = next_++;
    const absl::FunctionRef<void(int, int)> run = *task_;
    lock.unlock();
    run(task, worker);
    lock.lock();
    if (--unfinished_ == 0) ended_.notify_one();
  }
}

}  // namespace baton::trainer
