// Draws the parameters of a sweep's trials. The same arguments give the same answer, whenever and
// however often it is asked, so that a sweep that was cut short goes on with the same trials. The
// core stores what was drawn: nothing here is replayed.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "scheduler/sweep/space.h"

namespace baton::sweep {

struct Suggestion {
  std::string params_json;  // an object, in the order of the space; empty: there is no more
  std::string over;         // then: why, in words
};

// Trial `index`, from 1 on. `earlier` are the params of the trials before it; no point is tried
// twice.
Suggestion Suggest(const Space& space, int32_t index, const std::set<std::string>& earlier);

// Points of the space; 0: infinitely many, or more than 2^63.
uint64_t PointsOf(const Space& space);

}  // namespace baton::sweep
