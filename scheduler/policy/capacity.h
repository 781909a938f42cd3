// Spot or on-demand: on which nodes a job may run, and which it should try first.
#pragma once

#include "scheduler/state/job.h"
#include "scheduler/state/node.h"

namespace baton::policy {

// Whether a job that asks for this capacity may run on the node at all.
bool CapacityAllows(state::Capacity capacity, const state::NodeOffer& offer);

// True for a job that spot nodes have taken down three times in a row with no checkpoint committed
// in between: it makes no progress there, so that on-demand nodes come first, whatever they cost.
// Only `auto` jobs; null: a job that never ran.
bool PrefersOnDemand(state::Capacity capacity, const state::JobHistory* history);

}  // namespace baton::policy
