#include "worker/checkpoint/retry.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/log.h"

namespace baton::worker {
namespace {

constexpr int64_t kPauseMsMin = 50;
constexpr int64_t kPauseMsMax = 2'000;
constexpr int64_t kSliceMs = 50;
// A store without room: somebody may make some, but a finished job must not wait for ever.
constexpr auto kFullPatience = std::chrono::seconds(30);

bool IsWorthAnother(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
      return true;
    case absl::StatusCode::kResourceExhausted:
      return !IsOwnDiskFull(status);
    default:
      return false;
  }
}

}  // namespace

absl::Status RetryWhileAway(const std::function<bool()>& cancelled,
                            const std::function<absl::Status()>& attempt) {
  const auto full_deadline = std::chrono::steady_clock::now() + kFullPatience;
  bool told = false;
  for (int64_t pause_ms = kPauseMsMin;; pause_ms = std::min(pause_ms * 2, kPauseMsMax)) {
    if (cancelled()) return absl::CancelledError("given up");
    const absl::Status status = attempt();
    if (!IsWorthAnother(status)) return status;
    if (absl::IsResourceExhausted(status)) {
      if (std::chrono::steady_clock::now() >= full_deadline) return status;
      if (!std::exchange(told, true)) {
        LogWarning(absl::StrCat("the artifact store has no room; trying again for ",
                                kFullPatience.count(), " s: ", status.message()));
      }
    }
    for (int64_t slept_ms = 0; slept_ms < pause_ms && !cancelled(); slept_ms += kSliceMs) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kSliceMs));
    }
  }
}

}  // namespace baton::worker
