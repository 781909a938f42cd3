// A few threads for work that may wait for a disk: reads for clients, checks of checkpoints. Apart
// from the core's thread and from gRPC's.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"

namespace baton::edge {

class WorkQueue {
 public:
  WorkQueue(int threads, size_t waiting_max);
  ~WorkQueue() { Close(); }

  // ResourceExhausted when too much waits, Unavailable after Close; `work` is then dropped.
  [[nodiscard]] absl::Status Run(std::function<void()> work);

  // Finishes what was taken, then ends the threads. Idempotent.
  void Close();

 private:
  void Loop();

  const size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;  // guarded by mutex_
  bool closed_ = false;                        // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace baton::edge
