// A node as the scheduler holds it. Plain values, changed only through scheduler/core.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scheduler/state/job.h"

namespace baton::state {

struct Gpu {
  int32_t index = 0;
  std::string type;
  int64_t memory_bytes = 0;
  bool operator==(const Gpu&) const = default;
};

// What the worker says of itself in its hello.
struct NodeOffer {
  NodeId id;
  std::string incarnation;  // new at each start of the worker
  std::string name;
  std::string version;
  int32_t cpus_milli = 0;
  int64_t memory_bytes = 0;
  std::vector<Gpu> gpus;
  int64_t disk_free_bytes = 0;
  std::vector<std::string> data_addresses;
  std::string host_id;  // equal for two workers of one machine: only they meet by loopback
  std::string device_kind;
  bool spot = false;
  std::string provider;
  std::string region;
  std::string zone;
  std::string instance_type;
  int64_t price_usd_micro_per_hour = 0;
  int64_t on_demand_usd_micro_per_hour = 0;
  bool prices_are_examples = false;
  std::vector<Label> labels;
  std::vector<uint64_t> cached;  // what it has of jobs' data (JobSpec::data), rising
  int32_t probe_port = 0;        // where it answers probes, at its first data address; 0: nowhere
  bool operator==(const NodeOffer&) const = default;
};

struct Notice {
  std::string source;
  std::string kind;  // preempt, rebalance, maintenance, shutdown
  int64_t deadline_ms = 0;
  bool certain = false;
  int64_t noticed_ms = 0;
  bool operator==(const Notice&) const = default;
};

struct Node {
  NodeOffer offer;
  bool up = false;          // a session with a live lease
  uint64_t heard_term = 0;  // the scheduler's term of its last hello
  bool drained = false;     // an operator's wish: no new work here
  std::string drain_reason;
  bool has_notice = false;  // about to vanish: no new work here
  Notice notice;
  int64_t joined_ms = 0;       // of this incarnation
  int64_t lost_ms = 0;         // when it was last lost; 0: never
  int64_t held_usd_micro = 0;  // cost of its held time up to held_until_ms
  int64_t held_remainder = 0;  // what it lacks, in 1 / kMoneyUnit micro-USD (core/ledger.h)
  int64_t held_until_ms = 0;
  JobId promised_to;                 // head of the queue that waits for room here; empty: nobody
  int32_t promised_ranks = 0;        // how many of its ranks are to fit
  int32_t promised_alternative = 0;  // of its any_of
  bool operator==(const Node&) const = default;

  bool TakesWork() const { return up && !drained && !has_notice; }
  // Up as far as an earlier term knew; a lease will tell.
  bool Unheard(uint64_t term) const { return up && heard_term != term; }
};

}  // namespace baton::state
