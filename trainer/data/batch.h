// The samples of one micro-batch, in host memory, ready for a network.
#pragma once

#include <cstdint>
#include <vector>

namespace baton::trainer {

struct Batch {
  int64_t count = 0;  // samples; 0 is legal (a shard with nothing to do in this step)
  // One block per input of the model, in order: count x its sample size, row-major.
  std::vector<float> values;
  // What the output is held against, by the model's loss: count x rows labels, or count x outputs.
  std::vector<int32_t> labels;
  std::vector<float> targets;
};

}  // namespace baton::trainer
