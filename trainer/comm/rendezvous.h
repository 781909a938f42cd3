// Where the ranks of a generation find each other: a small board of keys that lives with the
// scheduler and the workers (`unix:PATH`; the protocol is in common/contract.h) or, alone, in a
// folder (`dir:PATH`).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::trainer {

// One member's view of one generation. Thread-compatible.
class Rendezvous {
 public:
  virtual ~Rendezvous() = default;

  // `value` is any bytes, at most 48 KiB. A key is set once.
  virtual absl::Status Set(const std::string& key, absl::string_view value) = 0;

  // The value, as soon as someone has set it. ABORTED when the generation is over or a member of
  // it failed, DEADLINE_EXCEEDED after `timeout`, CANCELLED when this process was asked to leave,
  // UNAVAILABLE when the board itself is gone.
  virtual absl::StatusOr<std::string> Wait(const std::string& key,
                                           std::chrono::milliseconds timeout) = 0;

  // Tells the board that `rank` failed this one.
  virtual absl::Status ReportLost(int rank) = 0;

  // This member needs the board no more.
  virtual absl::Status Done() = 0;

  // This process has started and can be a member of a generation after this one. UNIMPLEMENTED
  // where a board knows one generation only.
  virtual absl::Status Ready() = 0;

  // The newest generation that an answer told of; 0: none did.
  virtual int64_t newer() const = 0;
};

struct RendezvousOptions {
  std::string address;  // BATON_RENDEZVOUS
  int rank = 0;
  int world_size = 1;
  int64_t generation = 0;
  std::chrono::milliseconds join_timeout{60000};  // to reach the board (dir: to meet all ranks)
  const std::atomic<bool>* stop = nullptr;        // becomes true when waits shall end (CANCELLED)
};

// INVALID_ARGUMENT for an address that is neither unix:PATH nor dir:PATH.
absl::Status CheckRendezvousAddress(absl::string_view address);

// INVALID_ARGUMENT as above; UNAVAILABLE when nobody listens.
absl::StatusOr<std::unique_ptr<Rendezvous>> OpenRendezvous(const RendezvousOptions& options);

}  // namespace baton::trainer
