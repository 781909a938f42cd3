#include "scheduler/core/fence.h"

#include "absl/strings/str_cat.h"

namespace baton::core {

absl::StatusOr<Fenced> Fence(state::State& state, const state::TaskKey& key,
                             const state::NodeId& node, absl::string_view incarnation) {
  const auto job = state.jobs.find(key.job);
  if (job == state.jobs.end()) {
    return absl::FailedPreconditionError(absl::StrCat("no job ", key.job, " is known"));
  }
  state::Attempt* attempt = job->second.LiveAttempt();
  if (attempt == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("attempt ", key.attempt, " of job ", key.job, " has ended"));
  }
  if (attempt->token != key.token || attempt->number != key.attempt) {
    return absl::FailedPreconditionError(absl::StrCat("token ", key.token, " of attempt ",
                                                      key.attempt, " is not the live one: attempt ",
                                                      attempt->number, " runs under another"));
  }
  if (key.rank < 0 || key.rank >= static_cast<int32_t>(attempt->tasks.size())) {
    return absl::FailedPreconditionError(absl::StrCat("the attempt has no rank ", key.rank));
  }
  state::Task& task = attempt->tasks[static_cast<size_t>(key.rank)];
  if (task.node != node) {
    return absl::FailedPreconditionError(
        absl::StrCat("rank ", key.rank, " runs on another node than the sender's"));
  }
  if (task.phase == state::TaskPhase::kLost) {
    return absl::FailedPreconditionError(
        absl::StrCat("rank ", key.rank, " was given up: ", task.error));
  }
  const auto at = state.nodes.find(node);
  const bool current = at != state.nodes.end() && at->second.up &&
                       (incarnation.empty() || incarnation == at->second.offer.incarnation);
  if (!current) {
    return absl::FailedPreconditionError("the sender is not the node's live incarnation");
  }
  return Fenced{.job = &job->second, .attempt = attempt, .task = &task};
}

}  // namespace baton::core
