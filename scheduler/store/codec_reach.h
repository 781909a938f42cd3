// Inside of the codec: probes between nodes and what they have shown.
#pragma once

#include "absl/status/status.h"
#include "scheduler/state/effect.h"
#include "scheduler/state/event.h"
#include "scheduler/state/reach.h"

namespace baton::store::v1 {

class NodesProbed;
class ProbeNodes;
class Reach;

void ToRecord(const state::NodesProbed& value, NodesProbed* record);
state::NodesProbed FromRecord(const NodesProbed& record);
void ToRecord(const state::ProbeNodes& value, ProbeNodes* record);
void ToRecord(const state::Reach& value, Reach* record);
// DataLoss when no such rows can be.
absl::Status FromRecord(const Reach& record, state::Reach* value);

}  // namespace baton::store::v1
