// Where the members of a gang's generation meet: it has formed once all of them are there, with the
// state of the one that is furthest.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "scheduler/state/event.h"

namespace baton::sim {

class Gangs {
 public:
  // All members that stand there, once all do; empty: some are missing.
  std::vector<state::TaskKey> Arrive(const state::TaskKey& key, uint64_t generation,
                                     const std::vector<int32_t>& members, int64_t step);
  // The finished steps that the furthest of them has; -1: nobody has state.
  int64_t StepOf(state::Token token, uint64_t generation) const;
  std::vector<int32_t> Missing(state::Token token, uint64_t generation) const;
  // It has ended, or has left for a later generation.
  void Leave(const state::TaskKey& key);

 private:
  struct Place {
    std::vector<int32_t> members;
    std::map<int32_t, state::TaskKey> there;
    std::map<int32_t, int64_t> steps;
  };
  std::map<state::Token, std::map<uint64_t, Place>> places_;
};

}  // namespace baton::sim
