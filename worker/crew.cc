#include "worker/crew.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "worker/no_throw.h"

namespace baton::worker {

struct Crew::State {
  const Options options;
  std::mutex mutex;  // protects what follows
  std::condition_variable work;
  std::condition_variable gone;
  std::deque<std::function<void()>> queue;
  size_t threads = 0;
  size_t idle = 0;  // of them: waiting in Serve
  bool ending = false;

  explicit State(const Options& o) : options(o) {}

  void Serve() {
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      if (queue.empty() && !ending && idle < options.idle_max) {
        ++idle;
        work.wait(lock, [this] { return ending || !queue.empty(); });
        --idle;
      }
      if (ending || queue.empty()) break;
      std::function<void()> piece = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      const absl::Status done = WithoutThrow([&piece] {
        piece();
        return absl::OkStatus();
      });
      if (!done.ok()) LogError(std::string(done.message()));
      piece = nullptr;  // what it holds goes before the lock is taken
      lock.lock();
    }
    --threads;
    gone.notify_all();
  }

  // Caller holds the mutex.
  void AddThread() {
    ++threads;
    try {
      std::thread([this] { Serve(); }).detach();
    } catch (const std::system_error&) {
      --threads;  // those that are there take it up: one at least always is
    }
  }
};

Crew::Crew(const Options& options) : state_(std::make_unique<State>(options)) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  state_->AddThread();
  BATON_CHECK(state_->threads == 1, "the system gives the worker no thread at its start");
}

Crew::~Crew() {
  std::unique_lock<std::mutex> lock(state_->mutex);
  state_->ending = true;
  state_->work.notify_all();
  state_->gone.wait(lock, [this] { return state_->threads == 0; });
}

void Crew::Run(std::function<void()> piece) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  state_->queue.push_back(std::move(piece));
  // Each idle thread has at most one of those that wait.
  if (state_->queue.size() > state_->idle && state_->threads < state_->options.threads_max) {
    state_->AddThread();
  }
  state_->work.notify_one();
}

}  // namespace baton::worker
