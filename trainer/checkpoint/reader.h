// Reads a checkpoint, at any number of ranks, and believes nothing that its digests do not prove.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/checkpoint/format.h"

namespace baton::trainer {

struct LoadedCheckpoint {
  Header header;
  std::vector<float> weights;
  std::vector<Optimizer::StateVector> optimizer;
  std::vector<float> best_weights;  // as long as the weights, where header.best names a step
};

// `folder` is one checkpoint (it holds state.bin). NOT_FOUND, DATA_LOSS (cut short, too long, a
// digest differs) or UNIMPLEMENTED; every message names the file, what is wrong and what to do.
absl::StatusOr<LoadedCheckpoint> ReadCheckpoint(const std::string& folder);

}  // namespace baton::trainer
