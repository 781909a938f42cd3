// Which chunks uploads under way rely on. In memory only: after a restart clients begin anew, and
// a collection spares young chunks anyway. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"

namespace baton::edge {

class UploadSessions {
 public:
  struct Limits {
    int sessions_max = 0;
    int chunks_per_session_max = 0;
    int64_t idle_ms = 0;
  };
  // `clock` outlives the sessions.
  UploadSessions(const Clock& clock, const Limits& limits) : clock_(clock), limits_(limits) {}

  // ResourceExhausted when there are too many.
  absl::StatusOr<std::string> Begin();

  // Renews the session and pins the chunks for it. Aborted: not known, or expired.
  // ResourceExhausted: more chunks than one session may hold.
  absl::Status Pin(const std::string& session, const std::vector<std::string>& digests);

  std::set<std::string> Pinned();

 private:
  struct Session {
    int64_t used_ms = 0;  // monotonic
    std::set<std::string> digests;
  };
  void DropExpired();  // caller holds mutex_

  const Clock& clock_;
  const Limits limits_;
  std::mutex mutex_;
  std::map<std::string, Session> sessions_;  // guarded by mutex_
};

}  // namespace baton::edge
