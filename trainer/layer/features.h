// What layers of a model give, forward only: no loss, nothing to learn.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/spec/model.h"
#include "trainer/backend/backend.h"
#include "trainer/data/batch.h"

namespace baton::trainer {

// As Network: one for each thread, and the same bits wherever it is asked.
class Features {
 public:
  // Of the layers or inputs `names`. Batches have at most batch_max samples. The backend must
  // outlive it. INVALID_ARGUMENT when a layer does not fit its input.
  static absl::StatusOr<std::unique_ptr<Features>> Create(const spec::Model& model,
                                                          const std::vector<std::string>& names,
                                                          Backend& backend, int64_t batch_max);
  virtual ~Features() = default;

  // For each name count x its values, row-major. `weights` are the model's.
  virtual absl::Status Compute(const float* weights, const Batch& batch,
                               std::vector<std::vector<float>>* outputs) = 0;
};

}  // namespace baton::trainer
