// The journal in memory, with errors on demand.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "scheduler/store/journal.h"

namespace baton::store {

// Thread-safe.
class MemoryJournal : public Journal {
 public:
  absl::StatusOr<int64_t> Append(const StreamKey& stream, int64_t offset,
                                 absl::string_view bytes) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!error_.ok()) return error_;
    std::string& stored = streams_[stream];
    const int64_t end = static_cast<int64_t>(stored.size());
    if (offset > end) return absl::OutOfRangeError("a gap");
    if (offset + static_cast<int64_t>(bytes.size()) > end) {
      const absl::string_view fresh = bytes.substr(static_cast<size_t>(end - offset));
      stored.append(fresh.data(), fresh.size());
    }
    return static_cast<int64_t>(stored.size());
  }

  absl::Status Sync() override {
    std::lock_guard<std::mutex> lock(mutex_);
    ++syncs_;
    return error_;
  }

  absl::Status Remove(absl::string_view job) override {
    std::lock_guard<std::mutex> lock(mutex_);
    std::erase_if(streams_, [&](const auto& stream) { return stream.first.job == job; });
    return error_;
  }

  absl::StatusOr<std::string> Read(const StreamKey& stream, int64_t offset,
                                   int64_t bytes_max) const override {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto it = streams_.find(stream);
    if (it == streams_.end()) return absl::NotFoundError("no such stream");
    if (offset >= static_cast<int64_t>(it->second.size())) return std::string();
    return it->second.substr(static_cast<size_t>(offset), static_cast<size_t>(bytes_max));
  }

  absl::StatusOr<std::vector<StreamEnd>> Streams(absl::string_view job) const override {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<StreamEnd> ends;
    for (const auto& [key, bytes] : streams_) {
      if (key.job == job) ends.push_back({key, static_cast<int64_t>(bytes.size())});
    }
    return ends;
  }

  void SetError(absl::Status error) {
    std::lock_guard<std::mutex> lock(mutex_);
    error_ = std::move(error);
  }

  int syncs() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return syncs_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<StreamKey, std::string> streams_;
  absl::Status error_;
  int syncs_ = 0;
};

}  // namespace baton::store
