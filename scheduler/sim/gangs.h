// What happens between the members of native gangs: where those of a generation meet, whose
// connections break, and who stops in its tracks.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "scheduler/sim/context.h"
#include "scheduler/sim/cuts.h"
#include "scheduler/state/event.h"

namespace baton::sim {

class Worker;

class Gangs {
 public:
  Gangs(Context& context, const Cuts& cuts, const std::vector<std::unique_ptr<Worker>>& workers)
      : context_(context), cuts_(cuts), workers_(workers) {}

  // A member comes to where its generation meets, with the finished steps of its state (-1: none).
  // The generation has formed once all are there, with the state of the one that is furthest.
  void Arrive(const state::TaskKey& key, uint64_t generation, const std::vector<int32_t>& members,
              int64_t step);
  // Who has not come there.
  std::vector<int32_t> Missing(state::Token token, uint64_t generation) const;
  // It has ended, or has left for a later generation.
  void Leave(const state::TaskKey& key);

  // Nodes that do not reach each other any more: members on them miss each other.
  void Cut(const state::NodeId& from, const state::NodeId& to);
  // Now and then a member stops in its tracks; its peers stand still, too, and miss it.
  void BookFreezes();
  void Heal() { healed_ = true; }

 private:
  struct Place {
    std::vector<int32_t> members;
    std::map<int32_t, state::TaskKey> there;
    std::map<int32_t, int64_t> steps;
  };
  Worker* WorkerOf(const state::TaskKey& task) const;
  void KillSoon(const state::TaskKey& key);
  bool CutApart(const std::vector<state::TaskKey>& members);

  Context& context_;
  const Cuts& cuts_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
  std::map<state::Token, std::map<uint64_t, Place>> places_;
  bool healed_ = false;
};

}  // namespace baton::sim
