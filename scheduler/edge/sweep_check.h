// What the scheduler accepts of a sweep from clients. All mistakes are found at once, each with the
// path of its field.
#pragma once

#include "absl/status/status.h"
#include "baton/v1/sweep.pb.h"
#include "scheduler/sweep/space.h"

namespace baton::edge {

inline constexpr int kTrialsMax = 10'000;
inline constexpr int kParallelTrialsMax = 100;

// InvalidArgument: what is wrong with the job as jobs[0].FIELD (validate.h), the rest as
// plan.FIELD.
absl::Status CheckSubmitSweep(const v1::SubmitSweepRequest& request);

sweep::Space SpaceFromWire(const v1::SweepPlan& plan);

}  // namespace baton::edge
