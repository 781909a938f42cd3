#include "scheduler/edge/watch_hub.h"

#include <algorithm>
#include <utility>

namespace baton::edge {
namespace {

using std::chrono::milliseconds;

std::chrono::steady_clock::time_point Now() { return std::chrono::steady_clock::now(); }

}  // namespace

WatchHub::WatchHub(const Options& options) : options_(options), thread_([this] { Loop(); }) {}

absl::StatusOr<uint64_t> WatchHub::Add(const state::JobId& job, Pace pace,
                                       std::function<void()> poke) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (watches_.size() >= options_.watches_max) {
    return absl::ResourceExhaustedError("too many clients follow jobs; try again in a minute");
  }
  const uint64_t id = next_++;
  Watch& watch = watches_[id];
  watch.job = job;
  watch.interval =
      milliseconds(pace == Pace::kBytes ? options_.bytes_interval_ms : options_.interval_ms);
  watch.poke = std::move(poke);
  by_job_[job].insert(id);
  watch.poked = Now();  // who begins to follow looks by itself
  Plan(id, &watch, watch.poked + watch.interval);
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
  agenda_.erase({it->second.next, watch});
  watches_.erase(it);
}

void WatchHub::Plan(uint64_t id, Watch* watch, Time next) {
  const bool is_first = agenda_.empty() || next < agenda_.begin()->first;
  agenda_.erase({watch->next, id});
  watch->next = next;
  agenda_.insert({next, id});
  if (is_first) changed_.notify_all();
}

void WatchHub::MarkChanged(const state::JobId& job) {
  const auto of_job = by_job_.find(job);
  if (of_job == by_job_.end()) return;
  for (const uint64_t id : of_job->second) {
    Watch& watch = watches_[id];
    const Time next = std::max(Now(), watch.poked + watch.interval);
    if (next < watch.next) Plan(id, &watch, next);
  }
}

void WatchHub::Changed(const state::JobId& job) {
  std::lock_guard<std::mutex> lock(mutex_);
  MarkChanged(job);
}

void WatchHub::AddNotes(const std::vector<state::Note>& notes) {
  if (notes.empty()) return;
  std::lock_guard<std::mutex> lock(mutex_);
  for (const state::Note& note : notes) {
    const auto of_job = by_job_.find(note.job);
    if (of_job == by_job_.end()) continue;
    for (const uint64_t id : of_job->second) {
      std::vector<state::Note>& kept = watches_[id].notes;
      if (kept.size() < kNotesMax) kept.push_back(note);
    }
    MarkChanged(note.job);
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

void WatchHub::Loop() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!closed_) {
    if (agenda_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto [due, id] = *agenda_.begin();
    const Time now = Now();
    if (due > now) {
      changed_.wait_until(lock, due);
      continue;
    }
    Watch& watch = watches_[id];
    watch.poked = now;
    Plan(id, &watch, now + milliseconds(options_.idle_interval_ms));
    poking_ = id;
    const std::function<void()> poke = watch.poke;
    lock.unlock();
    poke();
    lock.lock();
    poking_ = 0;
    changed_.notify_all();
  }
}

}  // namespace baton::edge
