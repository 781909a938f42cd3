// The only thread that writes to the store, and the only way out of the scheduler: what an event
// wants told is released after the batch that holds the event is on disk, in the order of events.
// Batches that pile up while the disk syncs are joined into the next commit. Releases run on a
// second thread, so that answering does not delay the next sync.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "scheduler/store/store.h"

namespace baton::edge {

class CommitThread {
 public:
  using Release = std::function<void()>;
  struct Entry {
    uint64_t sequence = 0;    // of the newest event made so far; reads carry the last event's
    store::Batch batch = {};  // empty for a read or a refused event
    Release release = {};     // may be empty
  };
  struct Options {
    size_t entries_max = 16'384;  // Push waits while so many are not yet committed
  };

  // After a failed commit `on_failure` is called once, on the committing thread; nothing is
  // committed or released from then on. `store` outlives this.
  CommitThread(store::Store& store, uint64_t term, const Options& options,
               std::function<void(const absl::Status&)> on_failure);
  ~CommitThread();

  // From one thread. Waits while too much is under way. Entries after a failure are dropped.
  void Push(Entry entry);

  // All events up to this sequence number are on disk.
  uint64_t committed() const { return committed_.load(std::memory_order_acquire); }

  // Commits and releases what was pushed, then ends both threads. Idempotent.
  void Close();

 private:
  void CommitLoop();
  void ReleaseLoop();

  store::Store& store_;
  const uint64_t term_;
  const Options options_;
  const std::function<void(const absl::Status&)> on_failure_;
  std::atomic<uint64_t> committed_{0};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Entry> entries_;     // guarded by mutex_: to be committed
  std::vector<Release> releases_;  // guarded by mutex_: committed, to be released
  bool closed_ = false;            // guarded by mutex_: nothing more is pushed
  bool commits_done_ = false;      // guarded by mutex_: nothing more is committed
  bool failed_ = false;            // guarded by mutex_

  std::thread commit_thread_;
  std::thread release_thread_;
};

}  // namespace baton::edge
