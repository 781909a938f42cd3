// The whole state of a training at a step boundary, in host memory of its own, so that the next
// steps can go on while it is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "trainer/checkpoint/hash_chain.h"
#include "trainer/optim/optimizer.h"

namespace baton::trainer {

// The data position and all random numbers are functions of (seed, step), so the step stands for
// them.
// How a training was tested so far, where that may end it (trainer/early_stopping.h).
struct Best {
  int64_t judged_step = 0;  // of the last test
  int64_t step = 0;         // of the best test; 0: none was tested
  double loss = 0;
  int64_t worse = 0;  // tests in a row since then
};

struct Snapshot {
  int64_t step = 0;  // finished steps
  double loss = 0;   // mean over the batch of the last one
  HashChain chain;
  uint64_t table_trail = 0;
  std::vector<float> weights;
  std::vector<Optimizer::StateVector> optimizer;
  std::optional<Best> best;
  std::vector<float> best_weights;  // of best->step

  // Copies; reuses the memory of an earlier snapshot.
  void Take(absl::Span<const float> live_weights,
            const std::vector<Optimizer::StateVector>& live_optimizer);
};

}  // namespace baton::trainer
