// The samples of one micro-batch, in host memory, ready for a network.
#pragma once

#include <cstdint>
#include <vector>

namespace baton::trainer {

struct Batch {
  int64_t count = 0;            // samples; 0 is legal (a shard with nothing to do in this step)
  std::vector<float> values;    // count x sample size, row-major
  std::vector<int32_t> labels;  // count
};

}  // namespace baton::trainer
