// The worker's end of BATON_RENDEZVOUS (common/contract.h): one socket per task, whose lines travel
// to the scheduler and back. Keys are soft: the worker keeps what its tasks have set and what they
// wait for, and says it again to a scheduler that comes back.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "baton/v1/worker.pb.h"
#include "worker/core/task.h"

namespace baton::worker {

// Thread-safe; one thread of its own.
class Rendezvous {
 public:
  // `folder` exists and its path is short: with a socket's name it has at most 107 bytes. `send` is
  // called on any of the callers' threads or the own one and may fail silently: Resend repairs it.
  static absl::StatusOr<std::unique_ptr<Rendezvous>> Create(
      const std::string& folder, std::function<void(const v1::RendezvousRequest&)> send);
  ~Rendezvous();
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;

  // Listens for the task; returns the socket's path. A program may speak of generations up to
  // `generation`, the one of its membership file.
  absl::StatusOr<std::string> Add(const TaskKey& key, uint64_t generation);
  // Its membership file is of this generation now: waits of older ones are answered as stale, what
  // was set and lost in them is forgotten.
  void Advance(const TaskKey& key, uint64_t generation);
  void Remove(const TaskKey& key);

  void OnAnswer(const v1::RendezvousAnswer& answer);
  // A new session has begun: all keys set, all losses told and all open waits go out again.
  void Resend();

 private:
  struct State;
  explicit Rendezvous(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
