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

inline constexpr char kBestVector[] = "best";

struct Snapshot {
  int64_t step = 0;    // finished steps
  double loss = 0;     // mean over the batch of the last one
  int world_size = 1;  // when it was taken; no part of the state
  HashChain chain;
  uint64_t table_trail = 0;
  struct Vector {
    std::string name;
    std::vector<float> values;
  };
  std::vector<float> weights;
  std::vector<Vector> optimizer;
  std::optional<Best> best;
  std::vector<float> best_weights;  // of best->step

  // Copies; reuses the memory of an earlier snapshot.
  void Take(absl::Span<const float> live_weights,
            const std::vector<Optimizer::StateVector>& live_optimizer);
  // Points at the live state, which is too large for a copy: nothing may change it until it is
  // written.
  void View(absl::Span<const float> live_weights,
            const std::vector<Optimizer::StateVector>& live_optimizer);

  // What there is to write: "weights", then the optimizer's vectors, then the best weights.
  struct Part {
    std::string name;
    absl::Span<const float> values;
  };
  std::vector<Part> Parts() const;

 private:
  std::vector<Part> viewed_;  // empty: the copies count
};

}  // namespace baton::trainer
