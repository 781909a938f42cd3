// The rendezvous of all gangs, between the sessions of their nodes. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "baton/v1/worker.pb.h"
#include "scheduler/edge/rendezvous.h"
#include "scheduler/edge/sessions.h"

namespace baton::edge {

class RendezvousRelay {
 public:
  // `sessions` outlives this.
  RendezvousRelay(Sessions& sessions, const Rendezvous::Limits& limits)
      : sessions_(sessions), rendezvous_(limits) {}

  // From a session of `node`, about a task that is wanted there, whose gang stands there so. True
  // when it says something that the core has to hear (Rendezvous::Handled::is_news).
  bool Handle(const state::NodeId& node, const v1::RendezvousRequest& request,
              const Standing& standing);

  // What the core has come to know of a job; `token` 0: it has no live attempt any more.
  struct Gang {
    state::JobId job;
    state::Token token = 0;
    uint64_t generation = 0;
    std::vector<int32_t> lost_ranks;  // of that generation
  };
  void Update(const std::vector<Gang>& gangs);

  void DropWaits(const state::NodeId& node);

 private:
  void Tell(const std::vector<Rendezvous::Answer>& answers);

  Sessions& sessions_;
  std::mutex mutex_;
  Rendezvous rendezvous_;  // guarded by mutex_
};

}  // namespace baton::edge
