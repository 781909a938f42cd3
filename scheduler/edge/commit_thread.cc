#include "scheduler/edge/commit_thread.h"

#include <utility>

namespace baton::edge {

CommitThread::CommitThread(store::Store& store, uint64_t term, const Options& options,
                           std::function<void(const absl::Status&)> on_failure)
    : store_(store),
      term_(term),
      options_(options),
      on_failure_(std::move(on_failure)),
      commit_thread_([this] { CommitLoop(); }),
      release_thread_([this] { ReleaseLoop(); }) {}

CommitThread::~CommitThread() { Close(); }

void CommitThread::Push(Entry entry) {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return entries_.size() < options_.entries_max || failed_; });
    if (failed_) return;
    entries_.push_back(std::move(entry));
  }
  changed_.notify_all();
}

void CommitThread::Close() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  if (commit_thread_.joinable()) commit_thread_.join();
  if (release_thread_.joinable()) release_thread_.join();
}

void CommitThread::CommitLoop() {
  while (true) {
    std::vector<Entry> entries;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return !entries_.empty() || closed_; });
      entries.swap(entries_);
      if (entries.empty()) {
        commits_done_ = true;
        break;
      }
    }
    changed_.notify_all();  // there is room again
    std::vector<store::Batch> batches;
    for (Entry& entry : entries) {
      if (entry.batch.IsEmpty()) continue;
      batches.push_back(std::move(entry.batch));
    }
    // Nothing to write means that all that was seen is on disk already: commits are in order.
    const absl::Status status = batches.empty() ? absl::OkStatus() : store_.Commit(term_, batches);
    if (status.ok()) committed_.store(entries.back().sequence, std::memory_order_release);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (status.ok()) {
        for (Entry& entry : entries) {
          if (entry.release) releases_.push_back(std::move(entry.release));
        }
      } else {
        failed_ = true;
        commits_done_ = true;
        entries_.clear();
      }
    }
    changed_.notify_all();
    if (!status.ok()) {
      on_failure_(status);
      return;
    }
  }
  changed_.notify_all();
}

void CommitThread::ReleaseLoop() {
  while (true) {
    std::vector<Release> releases;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return !releases_.empty() || commits_done_; });
      releases.swap(releases_);
      if (releases.empty()) return;
    }
    for (Release& release : releases) {
      release();
      release = nullptr;  // what it holds goes now, not with the last of its batch
    }
  }
}

}  // namespace baton::edge
