// The whole state of a training at a step boundary, in host memory of its own, so that the next
// steps can go on while it is written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "trainer/checkpoint/hash_chain.h"
#include "trainer/optim/optimizer.h"

namespace baton::trainer {

// The data position and all random numbers are functions of (seed, step), so the step stands for
// them.
struct Snapshot {
  int64_t step = 0;  // finished steps
  double loss = 0;   // mean over the batch of the last one
  HashChain chain;
  uint64_t table_trail = 0;
  std::vector<float> weights;
  std::vector<Optimizer::StateVector> optimizer;

  // Copies; reuses the memory of an earlier snapshot.
  void Take(absl::Span<const float> live_weights,
            const std::vector<Optimizer::StateVector>& live_optimizer);
};

}  // namespace baton::trainer
