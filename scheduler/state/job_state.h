// Names of the enums in words, and the one table of a job's legal moves.
#pragma once

#include "absl/strings/string_view.h"
#include "scheduler/state/effect.h"
#include "scheduler/state/event.h"
#include "scheduler/state/job.h"

namespace baton::state {

// True if a job may go from one state to the other in one move (DESIGN section 3); staying is none.
bool LegalMove(JobState from, JobState to);

// "QUEUED", ..: as in baton.v1.JobState.
absl::string_view Name(JobState state);
// "finish", "requeue", ..; "none".
absl::string_view Name(Intent intent);
// "person", "no-progress"; empty for kNone.
absl::string_view Name(Hold hold);
// "preparing", ..
absl::string_view Name(TaskPhase phase);
// "succeeded", "preempted", "node-lost", ..; empty for kNone.
absl::string_view Name(EndCause cause);
absl::string_view Name(TaskStage stage);
absl::string_view Name(Goal goal);
// "RUNNING", ..: as in baton.v1.SweepState.
absl::string_view Name(SweepState state);
// "spot", "on-demand", "auto".
absl::string_view Name(Capacity capacity);

}  // namespace baton::state
