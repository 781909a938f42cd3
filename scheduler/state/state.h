// The whole truth: what the store holds (jobs, sweeps, nodes, counters), and indexes derived from
// it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "scheduler/state/job.h"
#include "scheduler/state/node.h"
#include "scheduler/state/reach.h"
#include "scheduler/state/sweep.h"

namespace baton::state {

// Fixed for the life of a scheduler; written at the head of each segment of the event log.
struct Config {
  int64_t lease_ms = 10'000;
  int64_t start_deadline_ms = 120'000;  // PREPARE to all prepared
  int64_t drain_grace_ms = 25'000;
  int64_t cancel_grace_ms = 10'000;
  int64_t verdict_margin_ms = 1'000;   // beyond the lease
  int64_t peer_lost_grace_ms = 5'000;  // for the other ranks, once one is gone
  int32_t start_failures_max = 5;      // in a row, before the job fails with the reason
  bool operator==(const Config&) const = default;
};

// What a project has used, halved every policy::kUsageHalfLifeMs.
struct ProjectUsage {
  int64_t usage = 0;  // thousandths of a core times milliseconds (policy/queue_order.h)
  int64_t as_of_ms = 0;
  bool operator==(const ProjectUsage&) const = default;
};

// What is left of a job or a sweep that was deleted, so that its request, sent again, is no new
// one.
struct DeletedJob {
  uint64_t request_digest = 0;
  int64_t deleted_ms = 0;
  bool operator==(const DeletedJob&) const = default;
};

// How often nodes of one kind were lost, and how long they were there, over the life of a fleet
// (policy/hazard.h).
struct Losses {
  int64_t losses = 0;
  int64_t up_ms = 0;  // of lives that have ended
  bool operator==(const Losses&) const = default;
};

struct Counters {
  uint64_t term = 0;
  Token next_token = 1;
  uint64_t next_order = 1;
  int64_t now_ms = 0;  // newest `now` that changed something; time never goes back
  int64_t started_ms =
      0;  // when the scheduler last started: no deadline fires within a lease of it
  std::map<std::string, ProjectUsage> usage;  // by project
  int64_t deleted_usd_micro = 0;              // what jobs had paid that were deleted
  int64_t deleted_remainder = 0;
  std::vector<Losses> losses{};  // by policy::HazardClass; shorter: the rest is 0
  bool operator==(const Counters&) const = default;
};

struct State {
  Config config;
  Counters counters;
  std::map<JobId, Job> jobs;
  std::map<JobId, DeletedJob> deleted;  // and sweeps; of the last days (core/job_events.cc)
  std::map<NodeId, Node> nodes;
  std::map<SweepId, Sweep> sweeps;
  Reach reach;  // soft: not in the store
};

}  // namespace baton::state
