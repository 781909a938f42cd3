// What follows from applied events outside the core: effects go to their sessions, watchers wake,
// ranks hear of lost peers, leases run out, sweeps get their next trial.
#pragma once

#include <vector>

#include "scheduler/edge/driver.h"
#include "scheduler/edge/probe_reports.h"
#include "scheduler/edge/progress.h"
#include "scheduler/edge/rendezvous_relay.h"
#include "scheduler/edge/sessions.h"
#include "scheduler/edge/sweep_runner.h"
#include "scheduler/edge/watch_hub.h"

namespace baton::edge {

class Reactions : public Edge {
 public:
  struct Targets {
    Sessions& sessions;
    RendezvousRelay& rendezvous;
    WatchHub& watches;
    Progress& progress;
    ProbeReports& probes;
    SweepRunner& sweeps;
  };
  explicit Reactions(const Targets& targets) : to_(targets) {}

  Release OnApplied(const Seen& seen) override;
  std::vector<state::Event> OnTick(int64_t monotonic_ms, bool gap) override;

 private:
  const Targets to_;
};

}  // namespace baton::edge
