// What a worker is told beside a task's spec, from what the edge alone knows.
#pragma once

#include "baton/v1/worker.pb.h"
#include "scheduler/edge/parts.h"

namespace baton::edge {

// `task` has its spec: adds the values of its secrets, and what an earlier attempt has fetched.
void AddExtras(const Parts& parts, v1::WantedTask* task);

// What the tasks of the job have fetched, in the spec that is shown.
void ShowFetched(const Parts& parts, v1::Job* job);

// Takes up what the task says it has fetched. FailedPrecondition, for a person: other bytes than
// the job's.
absl::Status TakeFetched(const Parts& parts, const v1::TaskReport& report);

}  // namespace baton::edge
