#include "worker/notice/signal.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/atomic_file.h"

namespace baton::worker {
namespace {

constexpr int64_t kHurryMs = 1'000;

}  // namespace

absl::StatusOr<std::unique_ptr<SignalNotice>> SignalNotice::Create(int64_t grace_ms) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) return ErrnoStatus(errno, "sigmask");
  const int descriptor = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  if (descriptor < 0) return ErrnoStatus(errno, "signalfd");
  return std::unique_ptr<SignalNotice>(new SignalNotice(descriptor, grace_ms));
}

SignalNotice::~SignalNotice() { close(descriptor_); }

std::vector<Event> SignalNotice::Poll(int64_t unix_ms) {
  std::vector<Event> events;
  signalfd_siginfo info;
  while (read(descriptor_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    ++seen_;
    const int64_t grace_ms = seen_ == 1   ? grace_ms_
                             : seen_ == 2 ? std::min(grace_ms_, kHurryMs)
                                          : 0;
    events.push_back(ShutdownAsked{unix_ms + grace_ms, "the worker was told to end"});
  }
  return events;
}

}  // namespace baton::worker
