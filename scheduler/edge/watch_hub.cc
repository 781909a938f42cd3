#include "scheduler/edge/watch_hub.h"

#include <chrono>
#include <utility>

namespace baton::edge {

WatchHub::WatchHub(const Options& options) : options_(options), thread_([this] { Loop(); }) {}

absl::StatusOr<uint64_t> WatchHub::Add(const state::JobId& job, std::function<void()> poke) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (watches_.size() >= options_.watches_max) {
    return absl::ResourceExhaustedError("too many clients follow jobs; try again in a minute");
  }
  const uint64_t id = next_++;
  watches_[id] = {.job = job, .poke = std::move(poke), .notes = {}};
  by_job_[job].insert(id);
  dirty_.insert(job);
  changed_.notify_all();
  return id;
}

void WatchHub::Remove(uint64_t watch) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this, watch] { return poking_ != watch; });
  const auto it = watches_.find(watch);
  if (it == watches_.end()) return;
  const auto of_job = by_job_.find(it->second.job);
  of_job->second.erase(watch);
  if (of_job->second.empty()) by_job_.erase(of_job);
  watches_.erase(it);
}

void WatchHub::Changed(const state::JobId& job) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (by_job_.count(job) > 0) dirty_.insert(job);
}

void WatchHub::AddNotes(const std::vector<state::Note>& notes) {
  if (notes.empty()) return;
  std::lock_guard<std::mutex> lock(mutex_);
  for (const state::Note& note : notes) {
    const auto of_job = by_job_.find(note.job);
    if (of_job == by_job_.end()) continue;
    dirty_.insert(note.job);
    for (const uint64_t id : of_job->second) {
      std::vector<state::Note>& kept = watches_[id].notes;
      if (kept.size() < kNotesMax) kept.push_back(note);
    }
  }
}

std::vector<state::Note> WatchHub::TakeNotes(uint64_t watch) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto it = watches_.find(watch);
  if (it == watches_.end()) return {};
  return std::exchange(it->second.notes, {});
}

void WatchHub::Close() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::vector<uint64_t> WatchHub::Due(bool all) {
  std::vector<uint64_t> due;
  if (all) {
    for (const auto& [id, watch] : watches_) due.push_back(id);
  } else {
    for (const state::JobId& job : dirty_) {
      const auto of_job = by_job_.find(job);
      if (of_job != by_job_.end()) {
        due.insert(due.end(), of_job->second.begin(), of_job->second.end());
      }
    }
  }
  dirty_.clear();
  return due;
}

void WatchHub::Loop() {
  const auto interval = std::chrono::milliseconds(options_.interval_ms);
  int64_t idle_ms = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  while (!closed_) {
    changed_.wait(lock, [this] { return closed_ || !watches_.empty(); });
    changed_.wait_for(lock, interval, [this] { return closed_; });
    idle_ms += options_.interval_ms;
    const bool all = idle_ms >= options_.idle_interval_ms;
    if (all) idle_ms = 0;
    for (const uint64_t id : Due(all)) {
      const auto it = watches_.find(id);
      if (it == watches_.end() || closed_) continue;
      poking_ = id;
      const std::function<void()> poke = it->second.poke;
      lock.unlock();
      poke();
      lock.lock();
      poking_ = 0;
      changed_.notify_all();
    }
  }
}

}  // namespace baton::edge
