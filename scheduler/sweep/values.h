// The values of one parameter, numbered where there are finitely many. As JSON, numbers with six
// digits, so that they read well and that no CPU's last bit is seen in them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/random.h"
#include "scheduler/sweep/space.h"

namespace baton::sweep {

// Made once for a sweep: what its steps are is not worked out again for each trial.
class Values {
 public:
  explicit Values(Param param);

  const std::string& name() const { return param_.name; }

  // How many there are; 0: infinitely many.
  uint64_t count() const { return count_; }

  // The one with that number, from the least on; `number` < count().
  std::string At(uint64_t number) const;

  // A number drawn by the parameter's scale; there are finitely many values.
  uint64_t DrawNumber(Random& random) const;

  // A value drawn by the parameter's scale; there are infinitely many.
  std::string Draw(Random& random) const;

 private:
  Param param_;
  std::vector<std::string> steps_;  // the distinct ones, in their order
  uint64_t count_ = 0;
};

}  // namespace baton::sweep
