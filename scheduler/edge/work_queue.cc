#include "scheduler/edge/work_queue.h"

#include <utility>

namespace baton::edge {

WorkQueue::WorkQueue(int threads, size_t waiting_max) : waiting_max_(waiting_max) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Loop(); });
}

absl::Status WorkQueue::Run(std::function<void()> work) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return absl::UnavailableError("the scheduler is ending; try again soon");
    if (waiting_.size() >= waiting_max_) {
      return absl::ResourceExhaustedError("the scheduler is busy; try again in a second");
    }
    waiting_.push_back(std::move(work));
  }
  changed_.notify_one();
  return absl::OkStatus();
}

void WorkQueue::Close() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void WorkQueue::Loop() {
  while (true) {
    std::function<void()> work;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return !waiting_.empty() || closed_; });
      if (waiting_.empty()) return;
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    work();
  }
}

}  // namespace baton::edge
