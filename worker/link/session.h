// The stream to the scheduler: dials, dials again when it breaks (at once, then with growing pauses
// and jitter), and hands messages in both directions. It knows nothing of their meaning but the
// welcome, whose absence ends a try. Nothing is repeated here: whoever sends learns of `closed`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "baton/v1/worker.pb.h"
#include "common/tls/key.h"

namespace baton::worker {

struct SessionOptions {
  std::string address;                    // of the scheduler, "host:port"
  std::optional<tls::Identity> identity;  // none: without TLS
  int64_t retry_ms_min = 50;  // pause after the second try in a row that came to nothing
  int64_t retry_ms_max = 2'000;
  int64_t welcome_ms_max = 10'000;  // a scheduler that does not answer the hello is given up
  size_t chunks_max = 64;           // log and metric chunks in the outgoing queue
};

// Called on the session's threads, one at a time, and must not wait. `opened` comes first, then
// any number of `received`, then `closed`, and so on.
struct SessionEvents {
  // `stream` counts them; the first message sent on it must be the hello.
  std::function<void(uint64_t stream)> opened;
  std::function<void(const v1::SchedulerMessage&)> received;
  std::function<void(const std::string& reason)> closed;
  std::function<void()> room;  // a chunk left the full queue
};

// Thread-safe.
class Session {
 public:
  // InvalidArgument or FailedPrecondition for an address that can't or may not be dialled. Begins
  // to dial at once.
  static absl::StatusOr<std::unique_ptr<Session>> Start(const SessionOptions& options,
                                                        SessionEvents events);
  // Closes the stream and calls no event any more.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Queues a message behind all queued before; false, and it is gone, when `stream` is not open any
  // more.
  bool Send(uint64_t stream, v1::WorkerMessage message);
  // False also when the queue holds `chunks_max` chunks: wait for `room`.
  bool SendChunk(uint64_t stream, v1::WorkerMessage message);
  // Ends the stream; dials again after the longest pause.
  void HangUp(const std::string& reason);
  // Sends what is queued and closes in order; returns when that is done or `wait_ms` have passed.
  void Finish(int64_t wait_ms);

 private:
  class Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace baton::worker
