// Repeats a call while the scheduler is away for a moment, as when it is started again.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include "absl/status/status.h"

namespace baton::client {

inline absl::Status Patiently(const std::function<absl::Status()>& call,
                              std::chrono::milliseconds patience = std::chrono::seconds(60)) {
  constexpr std::chrono::milliseconds kPause{50};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    const absl::Status status = call();
    if (!absl::IsUnavailable(status) || std::chrono::steady_clock::now() >= deadline) return status;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace baton::client
