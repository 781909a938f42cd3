// The secrets of jobs, and of sweeps for their trials: stored encrypted and no longer than their
// job's record (a sweep's: up to the first start after its end), decrypted only to be told to the
// worker that is to start a task.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scheduler/access/sealer.h"
#include "scheduler/state/job.h"
#include "scheduler/store/store.h"

namespace baton::edge {

using Secrets = std::vector<std::pair<std::string, std::string>>;  // name, value

// Thread-safe. A job's secrets are kept once and never changed.
class SecretVault {
 public:
  // Both outlive this.
  SecretVault(store::Store& store, uint64_t term, const access::Sealer& sealer)
      : store_(store), term_(term), sealer_(sealer) {}

  // Durable when it returns; false when the job's are there already, which are then left alone.
  absl::StatusOr<bool> Keep(const state::JobId& job, const Secrets& secrets);

  // NotFound when the job has none; FailedPrecondition, for a person, when they do not open.
  absl::StatusOr<Secrets> Reveal(const state::JobId& job) const;

  void Forget(const state::JobId& job);
  absl::StatusOr<std::vector<state::JobId>> Jobs() const;

  // Tells equal texts apart from others and nothing else about them (access/sealer.h).
  std::string Mac(absl::string_view text) const { return sealer_.Mac(text); }

 private:
  store::Store& store_;
  const uint64_t term_;
  const access::Sealer& sealer_;
  std::mutex mutex_;  // a look and the put that follows it
};

}  // namespace baton::edge
