// Draws the parameters of a sweep's trials. The same arguments give the same answer, whenever and
// however often it is asked, so that a sweep that was cut short goes on with the same trials. The
// core stores what was drawn: nothing here is replayed.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "scheduler/sweep/space.h"
#include "scheduler/sweep/values.h"

namespace baton::sweep {

struct Suggestion {
  std::string params_json;  // an object, in the order of the space; empty: there is no more
  std::string over;         // then: why, in words
};

// Of one sweep. Pure: it keeps what follows from the space alone.
class Sampler {
 public:
  explicit Sampler(const Space& space);

  // Trial `index`, from 1 on. `earlier` are the params of the trials before it; no point is tried
  // twice.
  Suggestion Suggest(int32_t index, const std::set<std::string>& earlier) const;

  // Points of the space; 0: infinitely many, or more than 2^63.
  uint64_t points() const { return points_; }

 private:
  Suggestion SuggestRandom(int32_t index, const std::set<std::string>& earlier) const;
  std::string PointAt(const std::vector<uint64_t>& digits) const;
  std::vector<uint64_t> DigitsOf(uint64_t number) const;
  void Advance(std::vector<uint64_t>* digits) const;
  std::string JsonOf(const std::vector<std::string>& values) const;

  Algorithm algorithm_;
  uint64_t seed_;
  std::vector<Values> params_;
  std::vector<std::string> names_;  // as JSON, with the colon
  uint64_t points_ = 1;
};

}  // namespace baton::sweep
