// The secrets of jobs, and of sweeps for their trials: stored encrypted and no longer than their
// job's record (a sweep's: up to the first start after its end), decrypted only to be told to the
// worker that is to start a task.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
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
//
// They are stored before their job, by each of the copies of a request that may be on their way. So
// a copy holds them from Keep to Settle, and only the last one that settles lets go of what no copy
// has made a job of.
class SecretVault {
 public:
  // Both outlive this.
  SecretVault(store::Store& store, uint64_t term, const access::Sealer& sealer)
      : store_(store), term_(term), sealer_(sealer) {}

  using ByJob = std::vector<std::pair<state::JobId, Secrets>>;

  // All in one write, and durable when it returns; what a job has already is left alone. Held until
  // Settle, unless this fails.
  absl::Status Keep(const ByJob& secrets);

  // What Keep held: `there` are those of `jobs` that now are jobs (or sweeps with trials to come).
  // May write: not for the core's thread, nor for the one that releases answers.
  void Settle(const std::vector<state::JobId>& jobs, const std::set<state::JobId>& there);

  // NotFound when the job has none; FailedPrecondition, for a person, when they do not open.
  absl::StatusOr<Secrets> Reveal(const state::JobId& job) const;

  void Forget(const state::JobId& job) { ForgetAll({job}); }
  void ForgetAll(const std::vector<state::JobId>& jobs);  // in one write
  absl::StatusOr<std::vector<state::JobId>> Jobs() const;

  // Tells equal texts apart from others and nothing else about them (access/sealer.h).
  std::string Mac(absl::string_view text) const { return sealer_.Mac(text); }

 private:
  struct Claim {
    int holders = 0;
    bool is_new = false;  // stored for these holders
    bool used = false;    // a job has come of one
  };

  absl::Status Store(const ByJob& secrets, std::vector<state::JobId>* fresh);
  void Remove(const std::vector<state::JobId>& jobs);

  store::Store& store_;
  const uint64_t term_;
  const access::Sealer& sealer_;
  std::mutex mutex_;                      // a look and the write that follows it
  std::map<state::JobId, Claim> claims_;  // guarded by mutex_
};

}  // namespace baton::edge
