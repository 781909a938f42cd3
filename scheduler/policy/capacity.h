// Spot or on-demand: on which nodes a job may run.
#pragma once

#include "scheduler/state/job.h"
#include "scheduler/state/node.h"

namespace baton::policy {

// Whether a job that asks for this capacity may run on the node at all.
bool CapacityAllows(state::Capacity capacity, const state::NodeOffer& offer);

}  // namespace baton::policy
