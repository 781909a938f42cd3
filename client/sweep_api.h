// The calls of baton.v1.Sweeps. They are repeated while the scheduler is away for a moment: a
// submit is idempotent by its request id, and stopping twice is stopping once.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "baton/v1/sweep.pb.h"
#include "client/api.h"
#include "client/exit_code.h"

namespace baton::client {

class SweepApi {
 public:
  // `api` outlives this.
  explicit SweepApi(Api& api);
  ~SweepApi();

  absl::StatusOr<v1::SubmitSweepResponse> Submit(const v1::SubmitSweepRequest& request);
  // NotFound too where the scheduler is of a version without sweeps.
  enum class Trials { kNone, kAll };
  absl::StatusOr<v1::Sweep> Get(const std::string& sweep, Trials trials);
  // What was decided about it, without its trials.
  absl::StatusOr<v1::GetSweepResponse> Explain(const std::string& sweep);
  // Newest first.
  absl::StatusOr<std::vector<v1::Sweep>> List();
  absl::StatusOr<v1::Sweep> Stop(const std::string& sweep);
  // With the jobs of its trials; the sweep has ended.
  absl::StatusOr<v1::DeleteSweepResponse> Delete(const std::string& sweep);

  // The sweep once nothing more comes of it by itself; Cancelled after `stop`.
  absl::StatusOr<v1::Sweep> Wait(const std::string& sweep, const std::atomic<bool>& stop);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What a person calls by this word: a job, or a sweep; of the two the newer, where both are called
// so; "latest" is never a trial. Exactly one is set.
struct JobOrSweep {
  std::unique_ptr<v1::Job> job;
  std::unique_ptr<v1::Sweep> sweep;  // without its trials
  // The word is a name of both: the id of the other, older one; else empty.
  std::string older;
};
absl::StatusOr<JobOrSweep> FindJobOrSweep(Api& api, const std::string& word);

// True when nothing more comes of the sweep until somebody does something about it.
bool HasStopped(const v1::Sweep& sweep);
// Of one that has stopped: 0 if some trial has succeeded and told a value.
ExitCode ExitCodeOf(const v1::Sweep& sweep);

}  // namespace baton::client
