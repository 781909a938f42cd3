// The port between the trainer and whatever carries its bytes: a group of ranks, each one process
// (gloo) or one thread (local), that exchange fixed patterns of messages.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace baton::trainer {

// Bytes [offset, offset + size) of a transfer's send or receive buffer, to or from `peer`.
struct Message {
  int peer = 0;
  size_t offset_bytes = 0;
  size_t size_bytes = 0;
};

// A pattern of messages between memory that the caller owns. At most one message per peer and
// direction, none to oneself; what a rank sends is as long as what its peer receives. The buffers
// may be the same memory as long as no message received overlaps one sent.
struct TransferPlan {
  const void* send = nullptr;
  size_t send_bytes = 0;
  std::vector<Message> sends;
  void* receive = nullptr;
  size_t receive_bytes = 0;
  std::vector<Message> receives;
};

// One pattern, run many times: started, finished, started again. Several transfers of a group may
// be under way at once, and every rank may start and finish them in an order of its own.
class Transfer {
 public:
  // Also while it is under way, as after an error: its buffers are then no longer touched.
  virtual ~Transfer() = default;

  // Begins to send and to receive, and returns without waiting for a peer. From any thread, at the
  // same time as calls of the group's other transfers. What goes wrong is told by Finish.
  virtual void Start() = 0;

  // Returns when everything has arrived and the sent bytes may be overwritten. UNAVAILABLE when a
  // peer went away, DEADLINE_EXCEEDED when one was silent for `timeout`, both as well as they can
  // be told apart; the received bytes are then garbage and the group is of no more use.
  virtual absl::Status Finish(std::chrono::milliseconds timeout) = 0;

  // Both, where nothing else is to be done meanwhile.
  virtual absl::Status Run(std::chrono::milliseconds timeout) {
    Start();
    return Finish(timeout);
  }
};

// Hears of a peer's end while nothing is exchanged with it. Not later than the group's end.
class PeerWatch {
 public:
  virtual ~PeerWatch() = default;
  // UNAVAILABLE once a peer went away. From any thread; does not wait.
  virtual absl::Status status() const = 0;
};

// The members of one generation. Destroying it, which a dying process does too, makes the others'
// transfers fail. All calls from one thread, but for Transfer::Start.
class Group {
 public:
  virtual ~Group() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Every rank prepares its transfers in the same order. The plan's buffers must outlive the
  // transfer, and the transfers must not outlive the group.
  virtual absl::StatusOr<std::unique_ptr<Transfer>> Prepare(const TransferPlan& plan) = 0;

  // Hears of a peer's end while this object lives.
  virtual absl::StatusOr<std::unique_ptr<PeerWatch>> WatchPeers() = 0;

  // The ranks that failed this one, rising: those that went away, and those that a transfer waited
  // for in vain. A transfer that fails leaves all other connections as they are.
  virtual std::vector<int> Suspects() = 0;
};

// `all` holds size() pieces of `piece_bytes`; this rank's own piece is filled in, and all others
// are on return. For rare and small things: it prepares a transfer each time.
absl::Status AllGather(Group& group, void* all, size_t piece_bytes,
                       std::chrono::milliseconds timeout);

// Returns once every rank has come here.
absl::Status Barrier(Group& group, std::chrono::milliseconds timeout);

// What the transfers of a group remember for Group::Suspects. Thread-safe.
class SuspectList {
 public:
  void Add(int rank);
  std::vector<int> ranks() const;

 private:
  mutable std::mutex mutex_;
  std::set<int> ranks_;
};

}  // namespace baton::trainer
