// How much each task that has ended wrote in all, as its worker said: a follower of logs waits for
// the rest. In memory only, of the newest tasks; whoever is not known counts as complete after a
// grace (stream_reader.h). Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>

#include "scheduler/store/journal.h"

namespace baton::edge {

class StreamEnds {
 public:
  void Set(const store::StreamKey& stream, int64_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!ends_.insert_or_assign(stream, bytes).second) return;
    order_.push_back(stream);
    if (order_.size() <= kStreamsMax) return;
    ends_.erase(order_.front());
    order_.pop_front();
  }

  std::optional<int64_t> Get(const store::StreamKey& stream) const {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto it = ends_.find(stream);
    if (it == ends_.end()) return std::nullopt;
    return it->second;
  }

 private:
  static constexpr size_t kStreamsMax = 20'000;
  mutable std::mutex mutex_;
  std::map<store::StreamKey, int64_t> ends_;  // guarded by mutex_
  std::deque<store::StreamKey> order_;        // guarded by mutex_: oldest first
};

}  // namespace baton::edge
