#include "worker/checkpoint/held_folders.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace baton::worker {
namespace {

constexpr std::chrono::milliseconds kLookEvery{50};

}  // namespace

struct HeldFolders::State {
  struct Entry {
    int users = 0;
    bool busy = false;  // being made, looked at or removed
    bool made = false;
    bool going = false;  // being removed
    int64_t bytes = 0;
    uint64_t used = 0;  // order of last use
  };
  using Entries = std::map<std::string, Entry>;

  const HeldFoldersOptions options;
  mutable std::mutex mutex;  // protects what follows
  std::condition_variable changed;
  Entries entries;
  uint64_t uses = 0;

  explicit State(HeldFoldersOptions o) : options(std::move(o)) {}

  // The longest unused that may go. Caller holds the mutex.
  Entries::iterator Oldest() {
    auto oldest = entries.end();
    for (auto at = entries.begin(); at != entries.end(); ++at) {
      if (at->second.users > 0 || at->second.busy) continue;
      if (oldest == entries.end() || at->second.used < oldest->second.used) oldest = at;
    }
    return oldest;
  }

  void EvictIdle() {
    std::vector<std::pair<std::string, int64_t>> going;
    {
      std::lock_guard<std::mutex> lock(mutex);
      int64_t idle = 0;
      for (const auto& [name, entry] : entries) {
        if (entry.users == 0 && !entry.busy) idle += entry.bytes;
      }
      while (idle > options.idle_bytes_max) {
        const auto oldest = Oldest();
        if (oldest == entries.end()) break;
        idle -= oldest->second.bytes;
        oldest->second.busy = oldest->second.going = true;
        going.emplace_back(oldest->first, oldest->second.bytes);
      }
    }
    for (const auto& [name, bytes] : going) {
      options.remove(name, bytes);
      std::lock_guard<std::mutex> lock(mutex);
      entries.erase(name);
      changed.notify_all();
    }
  }
};

HeldFolders::HeldFolders(HeldFoldersOptions options)
    : state_(std::make_unique<State>(std::move(options))) {}

HeldFolders::~HeldFolders() = default;

void HeldFolders::Add(const std::string& name, int64_t bytes) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  State::Entry& entry = state_->entries[name];
  entry.made = true;
  entry.bytes = bytes;
  entry.used = ++state_->uses;
}

void HeldFolders::Trim() { state_->EvictIdle(); }

absl::StatusOr<bool> HeldFolders::Take(const std::string& name,
                                       const std::function<bool()>& cancelled,
                                       const std::function<void()>& waits) {
  bool told = false;
  std::unique_lock<std::mutex> lock(state_->mutex);
  // One that is no longer whole is not made anew under those who still use it.
  const auto taken = [&] {
    const State::Entry& entry = state_->entries[name];
    return entry.busy || (!entry.made && entry.users > 0);
  };
  while (taken()) {
    if (!std::exchange(told, true) && waits) {
      lock.unlock();
      waits();
      lock.lock();
      continue;
    }
    if (cancelled && cancelled()) return absl::CancelledError("given up");
    state_->changed.wait_for(lock, kLookEvery);
  }
  State::Entry& entry = state_->entries[name];
  const bool is_whole = entry.made && (entry.users > 0 || !state_->options.is_checked_anew);
  ++entry.users;
  entry.used = ++state_->uses;
  entry.busy = !is_whole;
  return is_whole;
}

void HeldFolders::Made(const std::string& name, int64_t bytes) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  State::Entry& entry = state_->entries[name];
  entry.busy = false;
  entry.made = true;
  entry.bytes = bytes;
  state_->changed.notify_all();
}

void HeldFolders::Failed(const std::string& name) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  const auto at = state_->entries.find(name);
  if (at == state_->entries.end()) return;
  at->second.busy = false;
  at->second.made = false;
  if (--at->second.users <= 0) state_->entries.erase(at);
  state_->changed.notify_all();
}

void HeldFolders::Release(const std::string& name) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    const auto at = state_->entries.find(name);
    if (at == state_->entries.end() || at->second.users == 0) return;
    --at->second.users;
    at->second.used = ++state_->uses;
    state_->changed.notify_all();
  }
  state_->EvictIdle();
}

void HeldFolders::Damaged(const std::string& name) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  const auto at = state_->entries.find(name);
  if (at == state_->entries.end() || at->second.users == 0) return;
  at->second.made = false;
  if (--at->second.users == 0) state_->entries.erase(at);
  state_->changed.notify_all();
}

int64_t HeldFolders::BytesOf(const std::string& name) const {
  std::lock_guard<std::mutex> lock(state_->mutex);
  const auto at = state_->entries.find(name);
  return at == state_->entries.end() ? 0 : at->second.bytes;
}

std::vector<std::string> HeldFolders::Whole() const {
  std::vector<std::pair<uint64_t, std::string>> whole;
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    for (const auto& [name, entry] : state_->entries) {
      if (entry.made && !entry.going) whole.emplace_back(entry.used, name);
    }
  }
  std::sort(whole.rbegin(), whole.rend());
  std::vector<std::string> names;
  names.reserve(whole.size());
  for (auto& [used, name] : whole) names.push_back(std::move(name));
  return names;
}

}  // namespace baton::worker
