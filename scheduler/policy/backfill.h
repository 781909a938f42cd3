// The reservation for the head of the queue, and who may run in front of it. A conservative form of
// EASY backfilling (Lifka, JSSPP'95): the runtimes of most jobs are unknown, so that the head is
// promised rooms on nodes rather than a time, and a later job may use promised room only if its
// own time limit ends it before the head could start there.
#pragma once

#include <cstdint>
#include <vector>

#include "scheduler/policy/placement.h"

namespace baton::policy {

struct Promise {
  state::NodeId node;
  int32_t ranks = 0;
  int32_t alternative = 0;  // of the spec's any_of: the first that the fleet could hold
};

// The nodes that are to hold the job's smallest world size once what runs on them has ended: nodes
// with room now first, then as Place prefers; nodes that are promised to `ask.honoured` jobs are
// left out. Empty: the fleet as it is could not hold the job even if nothing else ran.
std::vector<Promise> ChoosePromises(const Fleet& fleet, const Ask& ask);

}  // namespace baton::policy
