// The agent's values to and from the wire (proto/baton/v1/worker.proto).
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "baton/v1/worker.pb.h"
#include "worker/core/effect.h"
#include "worker/core/event.h"
#include "worker/link/prober.h"

namespace baton::worker {

v1::TaskId ToProto(const TaskKey& key);
TaskKey FromProto(const v1::TaskId& id);

v1::TaskReport ToProto(const Report& report);
v1::CheckpointReport ToProto(const UploadedCheckpoint& checkpoint);
v1::NoticeReport ToProto(const Notice& notice);
v1::Heartbeat ToProto(const SendHeartbeat& heartbeat);

v1::ProbeReport ToProto(const std::vector<ProbeFinding>& found);
std::vector<ProbeTarget> FromProto(const v1::ProbeRequest& request);

// InvalidArgument for a set that can't be meant: a rank outside its world, two tasks of one key, a
// path that leaves the package.
absl::StatusOr<WantedSet> FromProto(const v1::WantedTasks& wanted);
Stage FromProto(v1::TaskReport::Stage stage);

}  // namespace baton::worker
