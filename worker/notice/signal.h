// SIGTERM and SIGINT to the worker itself: it drains and ends. The second one hastens, the third
// does not wait.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/notice/notice.h"

namespace baton::worker {

class SignalNotice : public NoticeSource {
 public:
  // Blocks the two signals in the calling thread: call it before any thread is started.
  static absl::StatusOr<std::unique_ptr<SignalNotice>> Create(int64_t grace_ms);
  ~SignalNotice() override;

  std::vector<Event> Poll(int64_t unix_ms) override;

 private:
  SignalNotice(int descriptor, int64_t grace_ms) : descriptor_(descriptor), grace_ms_(grace_ms) {}

  const int descriptor_;
  const int64_t grace_ms_;
  int seen_ = 0;
};

}  // namespace baton::worker
