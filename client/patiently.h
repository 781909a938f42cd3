// Repeats a call while the scheduler is away for a moment, as when it is started again.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include "absl/status/status.h"

namespace baton::client {

// How long somebody waits for a scheduler that is away.
class Patience {
 public:
  explicit Patience(std::chrono::milliseconds limit = std::chrono::seconds(60)) : limit_(limit) {
    Renew();
  }
  // It has answered: the wait begins anew.
  void Renew() { deadline_ = std::chrono::steady_clock::now() + limit_; }
  // A stream that began then has broken: it had been there if something came, or if it lasted
  // longer than a dial that nobody answers.
  void AfterStream(std::chrono::steady_clock::time_point begin, bool something_came) {
    constexpr std::chrono::seconds kDialMax{30};
    if (something_came || std::chrono::steady_clock::now() - begin > kDialMax) Renew();
  }
  bool ended() const { return std::chrono::steady_clock::now() >= deadline_; }

 private:
  const std::chrono::milliseconds limit_;
  std::chrono::steady_clock::time_point deadline_;
};

// `call` renews the patience when it has heard from the scheduler, if it takes long.
inline absl::Status Patiently(const std::function<absl::Status()>& call, Patience& patience) {
  constexpr std::chrono::milliseconds kPause{50};
  while (true) {
    const absl::Status status = call();
    if (!absl::IsUnavailable(status) || patience.ended()) return status;
    std::this_thread::sleep_for(kPause);
  }
}

inline absl::Status Patiently(const std::function<absl::Status()>& call) {
  Patience patience;
  return Patiently(call, patience);
}

}  // namespace baton::client
