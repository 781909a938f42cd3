#include "scheduler/edge/upload_sessions.h"

#include "absl/strings/str_cat.h"
#include "common/ids.h"

namespace baton::edge {

absl::StatusOr<std::string> UploadSessions::Begin() {
  const std::string id = RandomId();
  std::lock_guard<std::mutex> lock(mutex_);
  DropExpired();
  if (sessions_.size() >= static_cast<size_t>(limits_.sessions_max)) {
    return absl::ResourceExhaustedError(
        absl::StrCat(limits_.sessions_max, " uploads are under way; try again in a minute"));
  }
  sessions_[id].used_ms = clock_.MonotonicMillis();
  return id;
}

absl::Status UploadSessions::Pin(const std::string& session,
                                 const std::vector<std::string>& digests) {
  std::lock_guard<std::mutex> lock(mutex_);
  DropExpired();
  const auto it = sessions_.find(session);
  if (it == sessions_.end()) {
    return absl::AbortedError("the upload session is not known here; begin another one");
  }
  it->second.used_ms = clock_.MonotonicMillis();
  if (it->second.digests.size() + digests.size() >
      static_cast<size_t>(limits_.chunks_per_session_max)) {
    return absl::ResourceExhaustedError(absl::StrCat("an upload may hold ",
                                                     limits_.chunks_per_session_max,
                                                     " chunks of 1 MiB; upload the data in parts"));
  }
  it->second.digests.insert(digests.begin(), digests.end());
  return absl::OkStatus();
}

std::set<std::string> UploadSessions::Pinned() {
  std::lock_guard<std::mutex> lock(mutex_);
  DropExpired();
  std::set<std::string> pinned;
  for (const auto& [id, session] : sessions_) {
    pinned.insert(session.digests.begin(), session.digests.end());
  }
  return pinned;
}

void UploadSessions::DropExpired() {
  const int64_t now_ms = clock_.MonotonicMillis();
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    const bool expired = now_ms - it->second.used_ms > limits_.idle_ms;
    it = expired ? sessions_.erase(it) : std::next(it);
  }
}

}  // namespace baton::edge
